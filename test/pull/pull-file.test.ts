/**
 * Theorem: a file of pulls is understood whole or refused whole, with every fault named by its place and no secret repeated.
 */
import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { durationMs } from '../../api/pull/duration.ts'
import { loadPulls } from '../../api/pull/pull-file.ts'
import { mappingDocument, orThrow, temporaryFiles } from '../import/support.ts'

const files = temporaryFiles()
afterAll(() => files.remove())
files.write('mapping.json', JSON.stringify(mappingDocument()))
const personal = { format: 'csv', columns: ['a', 'b'], zone: 'UTC', personal: ['b'] }
const hashless = [{ type: 'sample.seen', id: { template: '{a}' }, data: {} }]
files.write('personal.json', JSON.stringify(mappingDocument({ input: personal, events: hashless })))

const ENV = { TOKEN: 'tok-123', EMPTY: '', BROKEN: 'line\nbreak' }

/** As the file names it. */
const variable = (name: string) => ['$', '{', name, '}'].join('')

function load(pulls: unknown, env: Readonly<Record<string, string>> = ENV) {
  const path = files.path('pulls.json')
  writeFileSync(path, typeof pulls === 'string' ? pulls : JSON.stringify(pulls))
  return loadPulls(path, env)
}

const FOLDER = { name: 'drop', folder: 'drop', mapping: 'mapping.json', every: 'PT5M' }
const WEB = { name: 'crm', url: 'https://crm.example/export', mapping: 'mapping.json', every: 60 }

test('paths are relative to the file, headers take secrets from the environment, limits have defaults', async () => {
  const [folder, url] = orThrow(
    await load([
      { ...FOLDER, files: 'in?oice-*.csv' },
      {
        ...WEB,
        url: `${WEB.url}?since={highWater}`,
        headers: { authorization: `Bearer ${variable('TOKEN')}` },
        highWater: { column: 'b', as: 'number' },
        redirectsTo: ['HTTPS://Files.example:443', 'http://127.0.0.1:8080'],
      },
    ]),
  )
  expect(folder).toMatchObject({ kind: 'folder', name: 'drop', folder: files.path('drop'), everyMs: 300_000 })
  if (folder?.kind !== 'folder') throw new Error('the first is a folder')
  expect(
    ['invoice-1.csv', 'invoice-1.csv.gz', 'xinvoice-1.csv'].map((name) => folder.files.test(name)),
  ).toEqual([true, false, false])
  expect(url).toMatchObject({
    ...{ kind: 'url', everyMs: 60_000, timeoutMs: 300_000, maxBytes: 256 * 1024 * 1024 },
    headers: [['authorization', 'Bearer tok-123']],
    redirectsTo: ['https://files.example', 'http://127.0.0.1:8080'],
    highWater: { index: 1, as: 'number', initial: '' },
  })
})

describe('refused', () => {
  test.each<[string, unknown, string]>([
    ['no JSON', '[', 'is not JSON'],
    [
      'a path to redirect to',
      [{ ...WEB, redirectsTo: ['https://x.example/y'] }],
      '[0].redirectsTo[0]: expected an origin',
    ],
    [
      'no address to redirect to',
      [{ ...WEB, redirectsTo: ['https://['] }],
      '[0].redirectsTo[0]: is no address',
    ],
    ['no list', {}, 'expected Pulls'],
    ['a misspelt property', [{ ...FOLDER, evry: 1 }], '[0].evry: unknown property'],
    ['neither or both', [{ ...FOLDER, url: 'http://x' }], '[0]: needs exactly one of folder, url'],
    ['no interval', [{ name: 'a', folder: 'b', mapping: 'c' }], '[0].every: is required'],
    ['an interval of nothing', [{ ...FOLDER, every: 0 }], '[0].every: expected seconds'],
    ['an interval of months', [{ ...FOLDER, every: 'P1M' }], '[0].every: expected seconds'],
    ['a bad name', [{ ...FOLDER, name: '../x' }], '[0].name: expected a name'],
    ['a name twice', [FOLDER, FOLDER], 'a name stands there twice'],
    ['no such mapping', [{ ...FOLDER, mapping: 'none.json' }], '[0].mapping: '],
    ['a mapping that is none', [{ ...FOLDER, mapping: 'pulls.json' }], 'is no valid mapping'],
    ['another scheme', [{ ...WEB, url: 'ftp://x/y' }], '[0].url: expected an http or https address'],
    ['credentials in the address', [{ ...WEB, url: 'https://me:pw@x/y' }], 'without user and password'],
    ['a mark without a place', [{ ...WEB, highWater: { column: 'a' } }], '[0].url: has no {highWater}'],
    ['a place without a mark', [{ ...WEB, url: 'https://x/?s={highWater}' }], '[0].highWater: is required'],
    [
      'a column that is none',
      [{ ...WEB, url: 'https://x/?s={highWater}', highWater: { column: 'c' } }],
      'is no column of the mapping; these are: a, b',
    ],
    [
      'a personal column',
      [{ ...WEB, mapping: 'personal.json', url: 'https://x/?s={highWater}', highWater: { column: 'b' } }],
      'is personal',
    ],
    [
      'a variable that is not there',
      [{ ...WEB, headers: { a: variable('NONE') } }],
      '[0].headers.a: needs NONE',
    ],
    ['an empty variable', [{ ...WEB, headers: { a: variable('EMPTY') } }], '[0].headers.a: needs EMPTY'],
    ['a header that breaks the line', [{ ...WEB, headers: { a: variable('BROKEN') } }], 'no header may hold'],
    ['a bad name of a header', [{ ...WEB, headers: { 'a b': 'x' } }], 'is no name of a header'],
    ['a limit of nothing', [{ ...WEB, maxMiB: 0 }], '[0].maxMiB: expected'],
  ])('%s', async (_, pulls, message) => {
    const loaded = await load(pulls)
    if (loaded._tag === 'Right') throw new Error('it was taken')
    expect(loaded.left).toContain(message)
    expect(loaded.left).toContain('HEADWATER_PULL')
    expect(loaded.left).not.toMatch(/tok-123|line\nbreak/)
  })

  test('a file that is not there', async () => {
    expect(await loadPulls(files.path('none'), {})).toMatchObject({
      left: expect.stringContaining("can't be read"),
    })
  })
})

test('durations', () => {
  expect(['PT1S', 'PT90M', 'P1DT2H', 'P7D'].map(durationMs)).toEqual([
    1_000, 5_400_000, 93_600_000, 604_800_000,
  ])
  expect(['P', 'PT', 'P1DT', '5M', 'P1Y', 'PT1.5S', '-PT1S'].map(durationMs)).toEqual(
    Array(7).fill(undefined),
  )
  expect(durationMs(0.25)).toBe(250)
})
