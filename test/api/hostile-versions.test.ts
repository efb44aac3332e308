/**
 * Theorem: whatever is sent to the routes that try and rebuild read models is answered with what is wrong with it: nesting that
 * exceeds any stack, names of prototypes, names repeated or misspelt; nothing of it is a failure inside, and nothing that was
 * misspelt is taken for "all of them".
 */
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { printable } from '../../api/cli/printable.ts'
import type { VersionJob, Versions } from '../../api/versions/versions.ts'
import { AS_READER, createWorld, type World, WRITE_KEY } from './world.ts'

let world: World
let rebuilt: (readonly string[])[] = []
let tried = 0

const job: VersionJob = {
  ...{ id: 'j', what: 'w', state: 'done', asked: 0, ended: 1 },
  ...{ progress: undefined, result: undefined, failure: undefined },
}

/** What is asked for is noted, and done at once. */
const versions: Versions = {
  jobs: () => [],
  job: () => job,
  settled: async () => job,
  digest: () => job,
  diff: () => job,
  tryOut: () => {
    tried += 1
    return job
  },
  rebuild: (names) => {
    rebuilt.push(names)
    return job
  },
  switchTo: async () => E.left({ _tag: 'Ended', why: 'double' }),
}

beforeEach(async () => {
  rebuilt = []
  tried = 0
  world = await createWorld({ versions })
})
afterEach(() => world.close())

const post = (url: string, payload: string) =>
  world.app.inject({
    ...{ method: 'POST', url, payload },
    headers: { ...AS_READER, 'headwater-write-key': WRITE_KEY, 'content-type': 'application/json' },
  })

const DEEP = 150_000

it.each([
  ['arrays', '['.repeat(DEEP) + ']'.repeat(DEEP)],
  ['objects', `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`],
])('deep %s are refused', async (_, deep) => {
  for (const kind of ['identity', 'survivorship', 'qualification', 'priorities']) {
    const answer = await post('/v1/rules/try', `{"kind":"${kind}","rules":${deep}}`)
    expect([kind, answer.statusCode]).toEqual([kind, 400])
  }
  expect((await post('/v1/rules/try', `{"type":"stages.published","data":${deep}}`)).statusCode).toBe(400)
  expect((await post('/v1/projections/rebuild', `{"projections":${deep}}`)).statusCode).toBe(400)
  expect([tried, rebuilt]).toEqual([0, []])
})

it('names of prototypes and paths are names of nothing', async () => {
  for (const name of [
    '__proto__',
    'constructor',
    'hasOwnProperty',
    '..',
    '../../etc/passwd',
    'profile/../x',
  ]) {
    const encoded = encodeURIComponent(name)
    const digest = await world.app.inject({ url: `/v1/projections/${encoded}/digest`, headers: AS_READER })
    expect([name, digest.statusCode]).toEqual([name, 404])
    expect((await post('/v1/projections/rebuild', JSON.stringify({ projections: [name] }))).statusCode).toBe(
      400,
    )
    expect((await post(`/v1/projections/${encoded}/switch`, '{}')).statusCode).toBe(404)
    const rules = `{"kind":"survivorship","rules":{"${name}.phone":{"rule":"latest"},"${name}":{"window":"1d"}}}`
    expect((await post('/v1/rules/try', rules)).statusCode).toBe(400)
  }
  expect([tried, rebuilt]).toEqual([0, []])
})

it('a misspelt body rebuilds nothing, a repeated name once', async () => {
  expect((await post('/v1/projections/rebuild', '{"projection":["profile"]}')).statusCode).toBe(400)
  expect(rebuilt).toEqual([])
  expect((await post('/v1/projections/rebuild', '{"projections":["profile","profile"]}')).statusCode).toBe(
    200,
  )
  expect(rebuilt).toEqual([['profile']])
})

it('what is printed steers no terminal', () => {
  expect(printable('a\u001b[31m\u009b1m\r\nb\u202egpj.exe\u2066\u2028')).toMatch(/^[\x20-\x7e\ufffd]+$/)
})
