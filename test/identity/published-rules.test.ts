// Theorem: after every commit the stored membership is the partition of the evidence up to the checkpoint by the identity
// rules published last up to there, and rows are those of a projector that began anew; a projector that is stopped while
// it regroups leaves the old membership or the new, whole.

import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test, vi } from 'vitest'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { evidenceOf } from '../../engine/identity/evidence.ts'
import { DEFAULT_RULES, type IdentityRules } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import { parseIdentityRules } from '../../engine/identity/rules.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { startLive, tickingClock } from '../support/live-projector.ts'
import { projectorWorld } from '../support/projector-world.ts'
import { SENT } from '../support/sent-events.ts'

const DOCUMENT = fc.record(
  {
    limits: fc.constantFrom({ user: 2 }, { user: 3, email: 1 }, { user: null }, { email: 2 }),
    unique: fc.constantFrom([], ['email']),
    priority: fc.constantFrom(['email'], ['user', 'email']),
    maxComponent: fc.integer({ min: 2, max: 6 }),
    blocked: fc.constantFrom({ namespaces: ['email'] }, {}),
  },
  { requiredKeys: [] },
)

const PUBLISHED = DOCUMENT.map((document) => ({
  type: 'rules.published',
  source: 'crm',
  data: { kind: 'identity', rules: withoutContradiction(document) },
}))

function withoutContradiction(document: Readonly<Record<string, unknown>>): unknown {
  return E.isRight(parseIdentityRules(document, '')) ? document : { ...document, limits: {} }
}

async function recorded(world: ReturnType<typeof intakeWorld>): Promise<readonly RecordedEvent[]> {
  const all: RecordedEvent[] = []
  for await (const batch of world.log.read()) all.push(...batch)
  return all
}

function rulesAt(events: readonly RecordedEvent[]): IdentityRules {
  const last = events.findLast(({ type, data }) => type === 'rules.published' && data['kind'] === 'identity')
  if (last === undefined) return DEFAULT_RULES
  const parsed = parseIdentityRules(last.data['rules'], 'last')
  if (E.isLeft(parsed)) throw new Error('published rules can be read')
  return parsed.right.rules
}

describe('published rules', () => {
  test('hold from their event on, for old and new evidence', async () => {
    const log = fc.array(fc.oneof({ weight: 5, arbitrary: SENT }, PUBLISHED), { minLength: 4, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(log, async (sent) => {
        const world = intakeWorld()
        const folded = projectorWorld(world)
        try {
          for (const [i, event] of sent.entries()) await world.sendOne({ id: `e${i}`, ...event })
          const events = await recorded(world)
          for (const { position } of events.filter((_, i) => i % 5 === 0)) {
            await folded.foldTo(position)
            await checkMembers(folded, events)
          }
          await folded.foldAll()
          await checkMembers(folded, events)
          const anew = projectorWorld(world)
          await anew.foldAll()
          expect(await folded.rows()).toEqual(await anew.rows())
          expect(await reviewOf(folded)).toEqual(await reviewOf(anew))
          await anew.close()
        } finally {
          await folded.close()
          await world.close()
        }
      }),
      { numRuns: 25, includeErrorInReport: true },
    )
  })
})

async function checkMembers(
  folded: ReturnType<typeof projectorWorld>,
  events: readonly RecordedEvent[],
): Promise<void> {
  const { position } = folded.store.writer.checkpoint()
  const known = events.filter((event) => event.position <= position)
  const ids = [...new Set(known.flatMap(({ identities }) => identities.map(({ id }) => id)))]
  const { profiles } = partition(known.flatMap(evidenceOf), rulesAt(known))
  const expected = new Map(profiles.flatMap(({ id, members }) => members.map((each) => [each, id])))
  for (const id of ids) {
    expect(folded.store.writer.profileOf(id) ?? id).toBe(expected.get(id) ?? id)
  }
}

async function reviewOf(folded: ReturnType<typeof projectorWorld>): Promise<readonly string[]> {
  const { value } = await folded.reader.review(0, 500)
  return value.map(({ bytes }) => Buffer.from(bytes).toString('hex')).sort()
}

describe('a projector that is stopped while it regroups', () => {
  test('leaves the old membership; the next one finishes', async () => {
    const world = intakeWorld()
    const { writer } = createMemoryStore()
    try {
      for (let i = 0; i < 30; i++)
        await world.sendOne(identify(`i${i}`, `u${i}`, `shared${i % 3}@example.com`))
      const before = startLive({ world, writer, clock: world.clock })
      await vi.waitFor(() => expect(writer.checkpoint().position).toBe(world.log.head().position))
      await before.stop()
      const apart = profilesOf(writer, world)
      await world.sendOne({
        id: 'rules',
        source: 'crm',
        type: 'rules.published',
        data: { kind: 'identity', rules: { limits: { user: 20 } } },
      })
      const published = world.log.head().position
      let named = 0
      const stopped = startLive({
        world,
        clock: tickingClock(world.clock, 1),
        writer: observed(writer, 'profileOf', () => {
          named += 1
          if (named === 5) void stopped.stop()
        }),
      })
      await stopped.ended
      expect(writer.checkpoint().position).toBeLessThan(published)
      expect(profilesOf(writer, world)).toEqual(apart)
      const after = startLive({ world, writer, clock: world.clock })
      await vi.waitFor(() => expect(writer.checkpoint().position).toBe(published))
      await after.stop()
      expect(new Set(profilesOf(writer, world)).size).toBe(3)
    } finally {
      await world.close()
    }
  })
})

function identify(id: string, userId: string, email: string) {
  return { id, source: 'web', type: 'cdp.identify', data: { userId, traits: { email } } }
}

function profilesOf(writer: StoreWriter, { keyStore }: ReturnType<typeof intakeWorld>): readonly string[] {
  const ids = Array.from({ length: 30 }, (_, i) => keyStore.find('user', `u${i}`) ?? '')
  return ids.map((id) => writer.profileOf(id) ?? id)
}

/** The same store, with something done before each call of one kind. */
function observed(writer: StoreWriter, method: keyof StoreWriter, before: () => void): StoreWriter {
  return new Proxy(writer, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== method) return value.bind(target)
      return (...args: readonly unknown[]) => {
        before()
        return Reflect.apply(value, target, args)
      }
    },
  })
}

describe('a document', () => {
  const parsed = (document: unknown) => parseIdentityRules(document, 'v2')
  const errors = (document: unknown): readonly string[] => {
    const read = parsed(document)
    return E.isLeft(read) ? read.left.map(({ path, message }) => `${path} ${message}`) : []
  }

  test('says what it changes; the rest is as by default', () => {
    const read = parsed({ limits: { email: 2, phone: null }, periods: { email: 365 }, unique: ['erp'] })
    expect(E.isRight(read) && read.right.rules).toEqual({
      ...DEFAULT_RULES,
      version: 'v2',
      limits: { email: 2, erp: 1, user: 1 },
      periods: { email: 365 },
    })
    expect(E.isRight(parsed({})) && parsed({})).toMatchObject({
      right: { rules: { ...DEFAULT_RULES, version: 'v2' } },
    })
  })

  test.each([
    [7, ' must be an object'],
    [
      { limit: {} },
      '/limit is not known; there are limits, periods, unique, priority, maxComponent, blocked, companyByDomain',
    ],
    [{ limits: { email: 0 } }, '/limits/email must be a whole number from 1 to 10000'],
    [{ limits: { 'E-mail': 1 } }, '/limits/E-mail is not a namespace'],
    [{ limits: { erp: 3 }, unique: ['erp'] }, '/unique erp is unique, so its limit is 1'],
    [{ periods: { device: 30 } }, '/periods/device a period needs a limit of the same namespace'],
    [{ maxComponent: 1e9 }, '/maxComponent must be a whole number from 2 to 10000'],
    [{ blocked: { identities: ['x'] } }, '/blocked/identities/0 is not an identity id'],
    [
      { blocked: { values: ['jane@example.com'] } },
      "/blocked/values/0 must not name anybody: block an address by its identity's id",
    ],
    [
      { blocked: { values: ['+44 20 7946 0018'] } },
      "/blocked/values/0 must not name anybody: block an address by its identity's id",
    ],
    [
      { blocked: { mailboxes: ['a b'] } },
      '/blocked/mailboxes/0 must be what stands before the @ of a mail address',
    ],
  ])('%j is refused', (document, error) => {
    expect(errors(document)).toContain(error)
  })
})
