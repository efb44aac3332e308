import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import type { Fields, LinkageRecord } from '../../engine/identity/linkage/model.ts'
import { pairKey, pairsOfGroups } from './score.ts'

/** Where the public data sets are. */
export const DATA_DIRECTORY = join(
  process.env['HEADWATER_TEST_DATA'] ?? join(import.meta.dirname, '..', '..', '..', 'shared', 'data'),
  'identity',
)

type Row = Readonly<Record<string, string>>

export interface DataSet {
  readonly name: string
  readonly file: string
  /** Column that tells records apart; compared with nothing. */
  readonly id: string
  /** What the columns hold: all that the model is told about the set. Columns that aren't named aren't looked at. */
  readonly fields: Fields
  /** The pairs that are one, for judging only. */
  readonly truth: (rows: readonly Row[]) => ReadonlySet<string>
}

export interface LoadedSet {
  readonly set: DataSet
  readonly records: readonly LinkageRecord[]
  readonly truth: ReadonlySet<string>
}

export const DATA_SETS: readonly DataSet[] = [
  {
    name: 'febrl3',
    file: 'febrl3.csv*',
    id: 'rec_id',
    fields: {
      given_name: 'given_name',
      surname: 'surname',
      street_number: 'house_number',
      address_1: 'street',
      address_2: 'street',
      suburb: 'place',
      postcode: 'postcode',
      state: 'region',
      date_of_birth: 'birth_date',
    },
    truth: (rows) => pairsOfGroups(grouped(rows, 'rec_id', ({ rec_id = '' }) => rec_id.split('-')[1] ?? '')),
  },
  {
    name: 'fake_1000',
    file: 'fake_1000.csv*',
    id: 'unique_id',
    fields: {
      first_name: 'given_name',
      surname: 'surname',
      dob: 'birth_date',
      city: 'place',
      email: 'email',
    },
    truth: (rows) => pairsOfGroups(grouped(rows, 'unique_id', ({ cluster = '' }) => cluster)),
  },
  {
    name: 'restaurants',
    file: 'restaurants_fodors_zagat.csv*',
    id: 'id',
    fields: { name: 'company', addr: 'address', phone: 'phone', city: 'place', type: 'category' },
    truth: () =>
      new Set(
        rowsOf('restaurants_fodors_zagat_matches.csv*')?.map(({ id_left = '', id_right = '' }) =>
          pairKey(id_left, id_right),
        ),
      ),
  },
]

/** undefined: its files aren't there. */
export function loadSet(set: DataSet): LoadedSet | undefined {
  const rows = rowsOf(set.file)
  if (rows === undefined) return undefined
  const truth = set.truth(rows)
  if (truth.size === 0) return undefined
  const columns = Object.keys(set.fields)
  const records = rows.map((row) => ({
    id: row[set.id] ?? '',
    values: Object.fromEntries(columns.map((column) => [column, row[column]])),
  }))
  return { set, records, truth }
}

function grouped(
  rows: readonly Row[],
  id: string,
  groupOf: (row: Row) => string,
): readonly (readonly string[])[] {
  return [...Map.groupBy(rows, groupOf).values()].map((group) => group.map((row) => row[id] ?? ''))
}

function rowsOf(pattern: string): readonly Row[] | undefined {
  const [name] = existsSync(DATA_DIRECTORY) ? globSync(pattern, { cwd: DATA_DIRECTORY }).sort() : []
  if (name === undefined) return undefined
  const bytes = readFileSync(join(DATA_DIRECTORY, name))
  return parse<Record<string, string>>(name.endsWith('.gz') ? gunzipSync(bytes) : bytes, {
    columns: true,
    bom: true,
  })
}
