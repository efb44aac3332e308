// Theorem: what a dry run shows of a decision is what the read models come to when it is made; an un-merge takes people
// apart whom one device held together, a lift brings them back; and what waits for review is what was refused and
// nobody has answered.
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../api/cli.ts'
import { WRITE_KEY_HEADER } from '../../api/security.ts'
import { systemClock } from '../../engine/clock.ts'
import { AS_READER, WRITE_KEY } from '../api/world.ts'
import { janeAndBob, type LivingWorld, livingWorld } from '../history/living-world.ts'
import { SENT } from '../support/sent-events.ts'

let world: LivingWorld
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

async function run(...args: readonly string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = []
  const plain = (text: string) => text
  const code = await main(args, {
    env: world.env,
    clock: systemClock,
    out: (line) => lines.push(line),
    err: (line) => lines.push(line),
    style: { bold: plain, dim: plain, warn: plain },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: (work) => work(new AbortController().signal),
  })
  await world.settled()
  return { code, text: lines.join('\n') }
}

interface Shown {
  readonly id: string
  readonly identities: readonly { readonly id: string }[]
  readonly events: number
  readonly views: Readonly<Record<string, readonly object[]>>
}

interface Answer {
  readonly status: number
  readonly data: {
    readonly before: readonly Shown[]
    readonly after: readonly Shown[]
    readonly results: unknown
  }
}

async function post(path: string, body: object): Promise<Answer> {
  const answer = await fetch(`${world.env.HEADWATER_URL}${path}`, {
    method: 'POST',
    headers: { ...AS_READER, [WRITE_KEY_HEADER]: WRITE_KEY, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const said: unknown = await answer.json()
  return { status: answer.status, ...(said as Pick<Answer, 'data'>) }
}

const JANE = 'jane@example.com'
const BOB = 'bob@example.com'
const profileOf = async (email: string): Promise<string> =>
  (await world.read(`/v1/profiles/email:${email}`)).body.data?.id

describe('unmerge', () => {
  beforeEach(() => world.send(...janeAndBob()))

  test('shows what would become of it, does it, and is taken back', async () => {
    expect(await profileOf(JANE)).toBe(await profileOf(BOB))
    const merged = await world.read(`/v1/profiles/email:${JANE}`)
    const head = world.engine.log.head().position
    const dry = await run('unmerge', JANE, '--dry-run')
    expect(dry.code).toBe(0)
    expect(dry.text).toContain('before: 1 profile\n')
    expect(dry.text).toContain('after: 2 profiles\n')
    expect(dry.text).toMatch(/customer_orders .*12\.5/)
    expect(dry.text).toContain('A dry run: nothing was appended.')
    expect(world.engine.log.head().position).toBe(head)

    const done = await run('unmerge', JANE, '--reason', 'a shared tablet', '--steward', 'kim')
    expect(done.text).toMatch(/\d events? appended/)
    expect(await profileOf(JANE)).not.toBe(await profileOf(BOB))
    const why = await run('why-merged', JANE)
    expect(why.text).toContain('cut: ')
    expect(why.text).toContain('identity rules version 1')
    expect((await run('unmerge', JANE)).text).toContain(
      'No phone, browser or device alone holds several people',
    )

    const cuts = (await world.read(`/v1/profiles/email:${JANE}/identity`)).body.data.cuts
    for (const { a, b } of cuts) expect((await run('lift', a, b)).code).toBe(0)
    const again = await world.read(`/v1/profiles/email:${JANE}`)
    expect(again.body.data).toEqual(merged.body.data)
    const [{ a, b }] = cuts
    const before = world.engine.log.head().position
    for (const pair of [
      [a, b],
      [JANE, BOB],
    ]) {
      const { code, text } = await run('lift', ...pair)
      expect(code).toBe(1)
      expect(text).toContain('These two are not cut from each other')
    }
    expect(world.engine.log.head().position).toBe(before)
  })

  test('of two identities cuts just these; two of different profiles are apart already', async () => {
    expect((await run('unmerge', JANE, BOB)).code).toBe(0)
    expect(await profileOf(JANE)).not.toBe(await profileOf(BOB))
    const again = await run('unmerge', JANE, BOB)
    expect([again.code, again.text]).toEqual([1, expect.stringContaining('different profiles already')])
    expect((await run('unmerge', 'nobody@example.com')).code).toBe(1)
    expect((await run('unmerge', JANE, BOB, 'x@example.com')).code).toBe(2)
  })

  test('needs the write key', async () => {
    const { status } = await fetch(`${world.env.HEADWATER_URL}/v1/profiles/email:${JANE}/unmerge`, {
      method: 'POST',
      headers: { ...AS_READER, 'content-type': 'application/json' },
      body: '{}',
    })
    expect(status).toBe(403)
  })
})

describe('what is refused', () => {
  beforeEach(() =>
    world.send(...janeAndBob(), {
      ...{ id: 'acme', source: 'crm', type: 'account.created', time: '2026-01-01T00:00:00Z' },
      data: { account_id: 'acme', name: 'Acme' },
    }),
  )

  test.each([
    ['a misspelt identity', `/v1/profiles/email:${JANE}/unmerge`, { form: `email:${BOB}` }],
    ['no steward', `/v1/profiles/email:${JANE}/unmerge`, { steward: '' }],
    ['a person and a company', '/v1/identity/decisions', pair('link', 'account:acme')],
    ['the same, to be cut', '/v1/identity/decisions', pair('cut', 'account:acme')],
    ['three', '/v1/identity/decisions', pair('cut', `email:${BOB}`, 'account:acme')],
    ['more than is known', '/v1/identity/decisions', { ...pair('cut', `email:${BOB}`), dryRun: true }],
  ])('%s', async (_, path, body) => {
    const before = world.engine.log.head()
    expect((await post(path, body)).status).toBe(400)
    expect((await post(`${path}?dryRun=true`, body)).status).toBe(400)
    expect(world.engine.log.head()).toEqual(before)
  })
})

function pair(decision: string, ...others: readonly string[]): object {
  return { decision, identities: [`email:${JANE}`, ...others] }
}

describe('review', () => {
  const identify = (id: string, userId: string, email: string) => ({
    ...{ id, source: 'web', type: 'cdp.identify' },
    data: { userId, traits: { email } },
  })
  const waiting = async () => (await world.read('/v1/identity/review')).body.data

  test('lists what a limit refused until a steward has answered', async () => {
    await world.send(identify('1', '41', JANE), identify('2', '42', JANE), identify('3', '43', JANE))
    const found = await waiting()
    expect(found).toMatchObject([
      { reason: 'limit', detail: 'user 2 > 1', event: { id: '2', source: 'web', type: 'cdp.identify' } },
      { reason: 'limit', event: { id: '3' } },
    ])
    expect(found[0].profiles).toMatchObject([{ size: 1 }, { size: 2 }])
    const first = await world.read('/v1/identity/review?limit=1')
    const second = await world.read(`/v1/identity/review?limit=1&cursor=${first.body.next}`)
    expect([first.body.data, second.body.data].flat()).toEqual(found)

    const printed = await run('review')
    expect(printed.text).toContain('user:42 with email:jane@example.com: limit, user 2 > 1; web event 2')
    expect((await run('keep-apart', 'user:42', JANE)).text).toContain('Nobody is regrouped by it.')
    expect(await waiting()).toMatchObject([{ event: { id: '3' } }])
    expect((await run('link', 'user:43', JANE)).code).toBe(0)
    expect(await waiting()).toMatchObject([{ event: { id: '1' } }])
    expect((await run('cut', 'user:41', JANE)).code).toBe(0)
    expect(await waiting()).toEqual([])
    expect((await run('review')).text).toContain('Nothing waits for a decision.')
  })

  test('published rules answer too, and say which they are', async () => {
    await world.send(identify('1', '41', JANE), identify('2', '42', JANE))
    await world.send({
      ...{ id: 'r', source: 'crm', type: 'rules.published' },
      data: { kind: 'identity', version: 'two users', rules: { limits: { user: 2 } } },
    })
    expect(await waiting()).toEqual([])
    const { body } = await world.read(`/v1/profiles/email:${JANE}/identity`)
    expect(body.data).toMatchObject({ rules: { version: 'two users', limits: { user: 2 } }, refusedCount: 0 })
    expect(body.data.identities).toHaveLength(3)
  })
})

/** A link displaces what is stated, and a lifted cut lets it come together again. */
const TOGETHER: readonly object[] = [1, 2].map((n) => ({
  ...{ type: 'cdp.identify', source: 'web', time: '2026-01-01T00:00:00.000Z' },
  data: { userId: `u${n}`, traits: { email: `p${n}@example.com`, name: 'Ann' } },
}))
const DECIDED: (readonly [string, readonly string[]])[] = [
  ['link', ['user:u1', 'email:p2@example.com']],
  ['cut', ['user:u1', 'email:p1@example.com']],
  ['lift', ['user:u1', 'email:p1@example.com']],
]

describe('a dry run', () => {
  test('shows what becomes of it', async () => {
    const identity = fc.constantFrom(
      ...['user:u1', 'user:u2', 'user:u3', 'email:p1@example.com', 'email:p2@example.com'],
    )
    const pair = fc.uniqueArray(identity, { minLength: 2, maxLength: 2 })
    const decision = fc.constantFrom('link', 'cut', 'lift', 'keep_apart')
    const sent: fc.Arbitrary<readonly object[]> = fc.array(SENT, { minLength: 5, maxLength: 25 })
    const decided: fc.Arbitrary<readonly (readonly [string, readonly string[]])[]> = fc.array(
      fc.tuple(decision, pair),
      { minLength: 1, maxLength: 3 },
    )
    await fc.assert(
      fc.asyncProperty(sent, decided, async (events, decisions) => {
        const living = await livingWorld()
        const outer = world
        world = living
        try {
          await living.send(...events.map((event, i) => ({ id: `e${i}`, ...event })))
          for (const [what, identities] of decisions) {
            const body = { decision: what, identities }
            const dry = await post('/v1/identity/decisions?dryRun=true', body)
            if (dry.status === 400 || dry.status === 404) continue // nobody has heard of one of them
            if (dry.status === 409 && what === 'lift') continue // they aren't cut
            expect(dry).toMatchObject({ data: { dryRun: true, results: null } })
            await checkServed(living, dry.data.before)
            const done = await post('/v1/identity/decisions', body)
            expect(done.status).toBe(200)
            await living.settled()
            await checkServed(living, done.data.after)
            expect(done.data.after.map(({ views }) => views)).toEqual(
              dry.data.after.map(({ views }) => views),
            )
          }
        } finally {
          world = outer
          await living.close()
        }
      }),
      {
        numRuns: process.env['HEADWATER_TEST_LONG'] === undefined ? 8 : 100,
        includeErrorInReport: true,
        examples: [[TOGETHER, DECIDED]],
      },
    )
  }, 300_000)
})

/** Each profile has these members, and the golden record and orders that were shown. */
async function checkServed(living: LivingWorld, shown: readonly Shown[]): Promise<void> {
  for (const { id, identities, views } of shown) {
    const { status, body } = await living.read(`/v1/profiles/${id}`)
    const [expected] = views['profile'] ?? []
    expect(status).toBe(expected === undefined ? 404 : 200)
    if (expected === undefined) continue
    expect(body.data).toMatchObject(expected)
    expect(body.data.identities.map((each: { id: string }) => each.id)).toEqual(
      identities.map((each) => each.id),
    )
    const orders = await living.read(`/v1/orders?id=${id}`)
    expect(orders.body.data).toEqual(views['customer_orders'] ?? [])
  }
}
