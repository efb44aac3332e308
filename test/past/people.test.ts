/**
 * Theorem: of a past position the routes about people (profile, timeline, identity, links in review, rules in force) answer
 * what they answered when the log ended there, from the log's index; timelines of a past moment go on page by page without a
 * gap or repetition, and a page of one moment isn't continued at another.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { main } from '../../api/cli.ts'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'
import { captured } from './captured-terminal.ts'
import { at, built, compareWithThen, type Recorded, recordStory } from './then-and-now.ts'

let world: LivingWorld
let recorded: Recorded
beforeAll(async () => {
  world = await livingWorld()
  recorded = await recordStory(world)
})
afterAll(() => world.close())

const JANE = '/v1/profiles/email:jane@example.com'

test('as of each position every route about people is what it was there', async () => {
  await compareWithThen(world, recorded)
  const review = [...recorded.values()].map((answers) => answers.get('/v1/identity/review')?.body['data'])
  expect(review.some((refusals) => Array.isArray(refusals) && refusals.length > 0)).toBe(true)
  expect(review.at(-1)).toEqual([])
})

interface Event {
  readonly id: string
  readonly time: string
  readonly position: number
}

async function pages(path: string): Promise<readonly Event[]> {
  const events: Event[] = []
  let cursor = ''
  do {
    const { status, body } = await built(world, at(path, `limit=2${cursor}`))
    expect(status).toBe(200)
    events.push(...(body['data'] as Event[]))
    cursor = body['next'] === null ? '' : `&cursor=${String(body['next'])}`
  } while (cursor !== '')
  return events
}

describe('timeline', () => {
  test('received: page by page, in the order of the log', async () => {
    const { position } = world.engine.log.head()
    const all = await pages(at(`${JANE}/timeline`, `asOf=${position}`))
    expect(all).toEqual((await world.read(`${JANE}/timeline?limit=100`)).body.data)
  })

  test('occurred: what had happened by then, in the order of time', async () => {
    const ids = async (query: string) =>
      (await pages(at(`${JANE}/timeline`, `${query}&by=occurred`))).map(({ id }) => id)
    expect(await ids('asOf=2025-05-31')).toEqual(['j3', 'j1'])
    expect(await ids('asOf=2025-06-02')).toEqual(['t2', 't1', 'j3', 'b1', 'j1'])
    // Cut from each other on 1 August: the tablet stays with one of the two.
    expect(await ids('asOf=2025-08-02')).toEqual(['cut', 'j2', 't2', 't1', 'j3', 'j1'])
  })

  test('a page of one moment is not continued at another', async () => {
    const { next } = (await world.read(`${JANE}/timeline?limit=1&asOf=8`)).body
    for (const query of ['asOf=7', 'asOf=2025-08-02&by=occurred', 'limit=2']) {
      const { status, body } = await world.read(at(`${JANE}/timeline?cursor=${next}`, query))
      expect([status, body.errors?.[0]?.parameter], query).toEqual([400, 'cursor'])
    }
  })
})

test.each([`${JANE}/timeline`, `${JANE}/identity`, '/v1/identity/review', '/v1/rules/survivorship'])(
  '%s refuses what is no moment',
  async (path) => {
    for (const [query, parameter] of [
      ['asOf=soon', 'asOf'],
      ['asOf=999', 'asOf'],
      ['asOf=3&by=occurred', 'by'],
      ['by=occurred', 'asOf'],
    ] as const) {
      const { status, body } = await world.read(at(path, query))
      expect([status, body.errors?.[0]?.parameter], query).toEqual([400, parameter])
    }
  },
)

test.each(['timeline', 'identity'])('nobody then is not found: %s', async (route) => {
  expect((await world.read(`/v1/profiles/user:one/${route}?asOf=3`)).status).toBe(404)
  expect((await world.read(`/v1/profiles/email:nobody@example.com/${route}?asOf=3`)).status).toBe(404)
})

describe('the command line', () => {
  async function run(...args: readonly string[]) {
    const terminal = captured(world.env)
    const code = await main(args, terminal)
    return { code, text: terminal.outLines.join('\n'), errors: terminal.errLines.join('\n') }
  }

  test('why-merged --as-of', async () => {
    const before = await run('why-merged', 'jane@example.com', '--as-of', '2025-05-31')
    expect(before).toMatchObject({ code: 0, errors: '' })
    expect(before.text).toContain('erp:17850')
    expect(before.text).not.toContain('bob@example.com')
    const later = await run('why-merged', 'jane@example.com', '--as-of', '2025-06-02')
    expect(later.text).toContain('bob@example.com')
    expect(later.text).toContain('anonymous:tablet alone holds 2 parts together')
    expect(later.text).not.toContain('headwater append')
    expect((await run('why-merged', 'jane@example.com')).text).toContain('headwater append')
  })

  test('timeline --as-of', async () => {
    const then = await run('timeline', 'jane@example.com', '--as-of', '2025-05-31')
    expect(then.code).toBe(0)
    expect(then.text.split('\n').map((line) => /event (\w+)/.exec(line)?.[1])).toEqual(['j3', 'j1'])
    const now = await run('timeline', 'jane@example.com', '--limit', '1')
    expect(now.text).toContain('There are more: --cursor')
    expect((await run('timeline', 'nobody@example.com')).code).toBe(1)
    expect((await run('timeline', 'jane@example.com', '--as-of', '3', '--by', 'occurred')).code).toBe(2)
  })

  test('review, conflicts and rules --as-of', async () => {
    expect((await run('review')).text).toContain('Nothing waits')
    expect((await run('review', '--as-of', '10')).text).toContain('user:two')
    expect((await run('conflicts', 'jane@example.com', '--as-of', '2025-05-31')).text).toContain('Nobody')
    expect((await run('conflicts', 'jane@example.com', '--as-of', '2025-06-30')).text).toContain('phone')
    const phone = async (...more: readonly string[]) =>
      (await run('rules', '--view', 'profile', ...more)).text
        .split('\n')
        .find((l) => l.startsWith('profile.phone'))
    expect(await phone()).toContain('first')
    expect(await phone('--as-of', '2025-08-02')).not.toContain('first')
    expect((await run('rules', 'check', 'x.json', '--as-of', '3')).code).toBe(2)
  })
})
