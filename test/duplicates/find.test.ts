/**
 * Theorem: what is looked through is bounded, and whatever a bound leaves out is counted; profiles that tell too little, pairs
 * that were decided and households are counted apart; people and companies are never proposed as one; what the thread
 * hands over is what was found.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { areHousehold, comparedOf } from '../../api/duplicates/fields.ts'
import { FIND_LIMITS, type FindLimits, type FindProgress, findDuplicates } from '../../api/duplicates/find.ts'
import { directFinder } from '../../api/duplicates/finder.ts'
import { threadFinder } from '../../api/duplicates/thread.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { openSqliteSnapshot } from '../../engine/store/sqlite-snapshot.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import type { Row } from '../../engine/store/table.ts'
import { profile } from '../../projections/cdp/profile.ts'
import { temporaryDirectory } from '../erasure/support.ts'
import { crowd, type Traits } from './support.ts'

const BUILD = 'profile__v1_00000000'

function key(number: number): string {
  return number.toString(16).padStart(32, '0')
}

function person({ firstName, lastName, birthday, address, phone }: Traits, last_seen: number): Row {
  const traits = { Birth_Date: birthday }
  return { kind: 'person', first_name: firstName, last_name: lastName, traits, address, phone, last_seen }
}

/** The first `doubled` of them are there twice; the second one's number is 1,000 greater. */
function rowsOf(doubled: number, size = 120): ReadonlyMap<string, Row> {
  const rows = new Map<string, Row>()
  for (const [i, traits] of crowd(size, 5).entries()) {
    rows.set(key(i), person(traits, i))
    if (i < doubled)
      rows.set(key(1_000 + i), person({ ...traits, lastName: `${traits.lastName}e` }, 1_000 + i))
  }
  return rows
}

function filled(writer: StoreWriter, rows: ReadonlyMap<string, Row>): void {
  writer.createBuild({
    ...{ projection: 'profile', build: BUILD, version: 1, configuration: '00000000' },
    table: profile.table,
  })
  writer.serve(BUILD)
  const members = new Map([[key(5_000), key(1_000)]])
  writer.commit({
    ...{ builds: [BUILD], position: 7, received: 70, mark: '', poison: [], members, evidence: [] },
    writes: [
      {
        build: BUILD,
        states: [],
        rows: [...rows].map(([id, row]) => ({ key: id, rows: new Map([['', row]]) })),
      },
    ],
  })
}

function find(
  rows: ReadonlyMap<string, Row>,
  limits: Partial<FindLimits> = {},
  decided: ReadonlyMap<string, ReadonlySet<string>> = new Map(),
) {
  const { writer } = createMemoryStore()
  filled(writer, rows)
  const onProgress = () => undefined
  return findDuplicates(writer.snapshot(), { limits: { ...FIND_LIMITS, ...limits }, decided, onProgress })
}

const ROWS = rowsOf(10)
const FOUND = find(ROWS)

test('those that are there twice, and nobody else', () => {
  expect(FOUND).toMatchObject({ position: 7, received: 70 })
  const pairs = FOUND.candidates.map(({ a, b }) => [a, b]).sort()
  expect(pairs).toEqual(Array.from({ length: 10 }, (_, i) => [key(i), key(1_000 + i)]))
  expect(FOUND.members.get(key(1_000))).toEqual([key(1_000), key(5_000)])
  expect(FOUND.members.size).toBe(20)
  expect(FOUND.kinds).toMatchObject([
    { kind: 'person', profiles: { compared: 130, sparse: 0, leftOut: 0 }, reliable: true },
    { kind: 'company', profiles: { compared: 0 }, candidates: { kept: 0 } },
  ])
})

describe('bounds', () => {
  test('profiles: those last heard of are compared', () => {
    const [people] = find(ROWS, { profiles: 20 }).kinds
    expect(people?.profiles).toEqual({ compared: 20, sparse: 0, leftOut: 110 })
    // The ten that came second were heard of last, and of the others numbers 110 to 119.
    expect(find(ROWS, { profiles: 20 }).candidates).toEqual([])
    expect(find(rowsOf(60), { profiles: 130 }).kinds[0]?.profiles).toMatchObject({
      compared: 130,
      leftOut: 50,
    })
  })

  test('pairs', () => {
    const all = FOUND.kinds[0]?.pairs
    const few = find(ROWS, { pairs: 5 }).kinds[0]?.pairs
    expect(few).toEqual({ compared: 5, leftOut: (all?.compared ?? 0) - 5 + (all?.leftOut ?? 0) })
  })

  test('candidates: the surest are kept', () => {
    const few = find(ROWS, { candidates: 3 })
    expect(few.candidates).toEqual(FOUND.candidates.slice(0, 3))
    expect(few.kinds[0]?.candidates).toMatchObject({ kept: 3, leftOut: 7 })
  })
})

describe('not proposed, and counted', () => {
  test('who was decided about, by any of their identities', () => {
    const decided = new Map([[key(0), new Set([key(5_000)])]])
    const { kinds, candidates } = find(ROWS, {}, decided)
    expect(kinds[0]?.candidates).toMatchObject({ kept: 9, decided: 1 })
    expect(candidates.some(({ a }) => a === key(0))).toBe(false)
    expect(find(ROWS, {}, new Map([[key(0), new Set([key(1)])]])).candidates).toHaveLength(10)
  })

  test('who tells too little', () => {
    const rows = new Map(ROWS)
    rows.set(key(2_000), { kind: 'person', email: 'someone@mail.example' })
    rows.set(key(2_001), { kind: 'person' })
    expect(find(rows).kinds[0]?.profiles).toEqual({ compared: 130, sparse: 2, leftOut: 0 })
  })

  test('households', () => {
    const rows = new Map(ROWS)
    const others = crowd(60, 77)
    for (const [i, traits] of crowd(120, 5).slice(20, 80).entries()) {
      const { firstName, birthday } = others[i] ?? traits
      rows.set(key(3_000 + i), person({ ...traits, firstName, birthday }, 1))
    }
    const [people] = find(rows).kinds
    expect(people?.candidates.households).toBeGreaterThan(30)
    expect(people?.candidates.kept).toBeLessThan(25)
  })
})

test('a company and a person of one name and address are two', () => {
  const rows = new Map(ROWS)
  const address = { street: '1 Harbour Road', city: 'malmo', postal_code: '21100' }
  const name = 'Zebulon Quartermaine'
  rows.set(key(4_000), { kind: 'person', name, address, phone: '+46401234567' })
  rows.set(key(4_001), { kind: 'company', name, address, phone: '+46401234567' })
  const { candidates, kinds } = find(rows)
  expect(candidates.filter(({ a }) => a >= key(4_000))).toEqual([])
  expect(kinds[1]?.profiles.compared).toBe(1)
})

describe('what is compared of a row', () => {
  const values = (row: Row) => comparedOf({ kind: 'person', ...row })?.values

  test.each([
    ['Jane Alice Smith', 'Jane', 'Smith'],
    ['Smith, Jane A.', 'Jane', 'Smith'],
    ['Dr. Jane Smith', 'Jane', 'Smith'],
    ['Cher', 'Cher', undefined],
    ['', undefined, undefined],
  ])('the name %s', (name, first_name, last_name) => {
    expect(values({ name })).toMatchObject({ first_name, last_name })
  })

  test.each([
    ['jane.smith@mail.example', undefined],
    ['J.SMITH77@mail.example', undefined],
    ['müller@mail.example', 'müller@mail.example'],
    ['sunny77@mail.example', 'sunny77@mail.example'],
  ])('a mail address made of the name tells nothing more: %s', (email, compared) => {
    expect(values({ email, first_name: 'Jane', last_name: 'Smith' })?.['email']).toBe(compared)
  })

  test('nobody yet, and what is no text', () => {
    expect(comparedOf({ kind: null })).toBeUndefined()
    expect(values({ traits: { dob: 7, birthday: 'unknown', 'Date of birth': '1984-03-09' } })).toMatchObject({
      birth_date: '1984-03-09',
    })
    expect(values({ address: 'somewhere', traits: [] })).toMatchObject({
      address: undefined,
      birth_date: undefined,
    })
    expect(values({ company: 'Acme GmbH' })).toMatchObject({ company: 'Acme' })
  })

  test('another first name needs a birth date that says otherwise', () => {
    const reasons = (first_name: string, birth_date: string) => [
      { field: 'first_name', level: first_name },
      { field: 'birth_date', level: birth_date },
    ]
    expect(areHousehold('person', reasons('different', 'different'))).toBe(true)
    expect(areHousehold('person', reasons('different', 'absent'))).toBe(true)
    expect(areHousehold('person', reasons('different', 'one slip'))).toBe(false)
    expect(areHousehold('person', reasons('similar', 'different'))).toBe(false)
    expect(areHousehold('company', reasons('different', 'different'))).toBe(false)
  })
})

describe('on a thread', () => {
  const directory = temporaryDirectory()
  const path = join(directory.path, 'read-models.sqlite')
  beforeAll(() => {
    const writer = openSqliteWriter(path)
    filled(writer, rowsOf(260, 260))
    writer.close()
  })
  afterAll(() => directory.remove())

  test('it finds the same, in parts, and tells how far it is', async () => {
    const steps: FindProgress['step'][] = []
    const onProgress = ({ step }: FindProgress) => steps.push(step)
    const order = { decided: new Map(), onProgress }
    const outcome = await threadFinder(path).start(order).outcome
    const direct = await directFinder(() => openSqliteSnapshot(path)).start(order).outcome
    expect(outcome).toEqual(direct)
    expect(outcome._tag === 'Found' && outcome.found.candidates.length).toBeGreaterThan(200)
    expect(steps).toContain('learning')
  })

  test('it can be given up, and says what went wrong', async () => {
    const order = { decided: new Map(), onProgress: () => undefined }
    const search = threadFinder(path).start(order)
    await search.stop()
    expect(await search.outcome).toEqual({ _tag: 'Failed', failure: { _tag: 'Dropped' } })
    const broken = await threadFinder(join(directory.path, 'nothing.sqlite')).start(order).outcome
    expect(broken).toMatchObject({ _tag: 'Failed', failure: { _tag: 'Broken' } })
  })
})
