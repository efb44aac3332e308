import { expect } from 'vitest'
import { janeAndBob, type LivingWorld } from '../history/living-world.ts'

/** What routes about people answered as the story went on, to be compared with what they answer of those moments. */

const steward = (id: string, type: string, day: string, identities: readonly string[]) => ({
  ...{ id, source: 'steward', type, identities, time: `${day}T10:00:00Z` },
  data: { steward: 'sam', reason: 'they are two' },
})
const page = (id: string, userId: string, anonymousId: string) => ({
  ...{ id, source: 'web', type: 'cdp.page', time: '2025-07-01T10:00:00Z', data: { userId, anonymousId } },
})

/** Two systems, a shared tablet, a refused link, a cut and its end, other rules. */
export const STORY: readonly object[] = [
  ...janeAndBob(),
  page('u1', 'one', 'shared'),
  page('u2', 'two', 'shared'),
  steward('cut', 'identity.cut', '2025-08-01', ['email:jane@example.com', 'email:bob@example.com']),
  {
    ...{ id: 'r1', source: 'steward', type: 'rules.published', time: '2025-08-02T10:00:00Z' },
    data: { kind: 'identity', version: '2', rules: { limits: { user: 2 } } },
  },
  {
    ...{ id: 'r2', source: 'steward', type: 'rules.published', time: '2025-08-03T10:00:00Z' },
    data: { kind: 'survivorship', rules: { 'profile.phone': { rule: 'first' } } },
  },
  steward('lift', 'identity.cut_lifted', '2025-08-04', ['email:jane@example.com', 'email:bob@example.com']),
]

const PEOPLE = ['email:jane@example.com', 'email:bob@example.com', 'user:one', 'anonymous:tablet']
export const PATHS: readonly string[] = [
  ...PEOPLE.flatMap((who) => [
    `/v1/profiles/${who}`,
    `/v1/profiles/${who}?explain=true`,
    `/v1/profiles/${who}/timeline`,
    `/v1/profiles/${who}/identity`,
  ]),
  "/v1/leads/O'Neil",
  '/v1/identity/review',
  '/v1/rules/survivorship',
]

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}
/** Position → path → what it answered there. */
export type Recorded = ReadonlyMap<number, ReadonlyMap<string, Answer>>

export async function recordStory(world: LivingWorld, story = STORY): Promise<Recorded> {
  const recorded = new Map<number, ReadonlyMap<string, Answer>>()
  for (const event of story) {
    world.engine.clock.advance(60_000)
    await world.send(event)
    const answers = new Map<string, Answer>()
    for (const path of PATHS) answers.set(path, await world.read(path))
    recorded.set(world.engine.log.head().position, answers)
  }
  return recorded
}

/** Asks again until it is built, as a reader would. */
export async function built(world: LivingWorld, path: string): Promise<Answer> {
  for (;;) {
    const answer = await world.read(path)
    if (answer.status !== 202) return answer
  }
}

export function at(path: string, query: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}${query}`
}

/** Of every moment of the record every route answers what it answered then, and says which moment it is of. */
export async function compareWithThen(world: LivingWorld, recorded: Recorded): Promise<void> {
  for (const [position, answers] of recorded) {
    for (const [path, then] of answers) {
      const wait = path.startsWith('/v1/rules') ? '' : '&wait=5000'
      const now = await built(world, at(path, `asOf=${position}${wait}`))
      expect(now.status, `${path} at ${position}`).toBe(then.status)
      if (then.status !== 200) continue
      const { history, orders: _, timeline: __, ...rest } = now.body
      expect(history).toEqual({ by: 'received', until: position })
      expect(rest, `${path} at ${position}`).toEqual(then.body)
    }
  }
}
