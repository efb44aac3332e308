/**
 * Theorem: an atomic batch is appended whole and in one run of positions, or answered whole as a repetition, or leaves
 * nothing behind: no event, no quarantine, no identity; whatever stands beside it in the queue.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Incoming, IntakeResult } from '../../engine/intake/result.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld } from '../support/intake-world.ts'

let world: IntakeWorld

beforeEach(() => {
  world = intakeWorld()
})

afterEach(async () => {
  await world.close()
})

const note = (id: string, more: object = {}): Incoming => ({
  value: { id, type: 'note.taken', data: { id } },
  stream: 'note-1',
  ...more,
})
const submit = (...batch: readonly Incoming[]) => world.intake.submitAtomic(batch, { defaultSource: 'web' })

function fates(results: readonly IntakeResult[]): readonly string[] {
  return results.map((result) => (result.status === 'refused' ? result.refusal.code : result.status))
}

function reason([result]: readonly IntakeResult[]): string {
  return result?.status === 'refused' ? result.refusal.message : 'it was not refused'
}

async function ids(): Promise<readonly string[]> {
  return (await world.events()).map(({ id }) => id)
}

describe('an atomic batch', () => {
  test('is appended whole, in its stream, one after another', async () => {
    const results = await submit(note('a'), note('b'), note('c'))
    expect(results).toMatchObject(
      [1, 2, 3].map((position) => ({
        status: 'appended',
        position,
        stream: 'note-1',
        revision: position - 1,
      })),
    )
    expect(await submit()).toEqual([])
  })

  test.each([
    [
      'invalid data',
      { value: { id: 'b', type: 'cdp.page', data: { userId: {} } }, stream: 'note-1' },
      /event 2 of 3: invalid_data/,
    ],
    [
      'a reserved type',
      { value: { id: 'b', type: 'person.erased', data: {} }, stream: 'note-1' },
      /reserved_type/,
    ],
    ['an address in the name', note('b', { stream: 'note-jane@example.com' }), /holds an address/],
    ['a number as the name', note('b', { stream: 'note-+441632960961' }), /holds an address/],
    ["a person's category", note('b', { stream: 'profile-jane' }), /named by identity ids/],
    [
      'an identity in the name',
      { value: { id: 'b', type: 'note.taken', identities: ['user:u17'], data: {} }, stream: 'note-u17' },
      /holds an identity/,
    ],
    ['one id twice', note('a'), /two events of the batch have one id/],
  ] as const)('with %s leaves nothing behind', async (_what, bad, message) => {
    const results = await submit(note('a'), bad, note('c'))
    expect(fates(results)).toEqual(['forbidden', 'forbidden', 'forbidden'])
    expect(reason(results)).toMatch(message)
    expect(await ids()).toEqual([])
    expect(world.keyStore.find('email', 'jane@example.com')).toBeUndefined()
    expect(world.intake.queue).toEqual({ events: 0, bytes: 0 })
    expect(fates(await submit(note('a'), note('b'), note('c')))).toEqual(['appended', 'appended', 'appended'])
  })

  test('keeps its name, where an event of its own would have been given another', async () => {
    await submit(note('a', { stream: 'plain' }), note('b', { stream: 'Ünïcode name' }))
    expect((await world.events()).map(({ stream }) => stream)).toEqual(['plain', 'Ünïcode name'])
  })

  test('that was appended before is a repetition; in part, elsewhere, or with other content it is refused', async () => {
    const expected = { expected: { revision: -1 } }
    const first = await submit(note('a', expected), note('b'))
    expect(await submit(note('a', expected), note('b'))).toEqual(
      first.map((result) => ({ ...result, status: 'duplicate' })),
    )
    expect(fates(await submit(note('b', expected)))).toEqual(['wrong_expected'])
    expect(fates(await submit(note('b'), note('c')))).toEqual(['wrong_expected', 'wrong_expected'])
    expect(reason(await submit(note('a', { stream: 'note-2' })))).toMatch(/id_reused/)
    const other = { value: { id: 'a', type: 'note.taken', data: { id: 'z' } }, stream: 'note-1' }
    expect(reason(await submit(other))).toMatch(/id_reused/)
    expect(await ids()).toEqual(['a', 'b'])
  })

  test('of which the stream is not as expected leaves nothing behind', async () => {
    await submit(note('a'))
    const results = await submit(note('b', { expected: { revision: 4 } }), note('c'))
    expect(results).toMatchObject(
      [0, 1].map(() => ({ refusal: { code: 'wrong_expected', actualRevision: 0, actualPosition: 1 } })),
    )
    expect(await ids()).toEqual(['a'])
  })

  test('waits for its twin under way, and holds up nobody else', async () => {
    const single = { id: 'n', source: 'web', type: 'note.taken', subject: 'note-9', data: {} }
    const [once, again, between, shared] = await Promise.all([
      submit(note('a'), note('b')),
      submit(note('a'), note('b')),
      world.send(single),
      submit(note('b'), note('c')),
    ])
    expect([fates(once), fates(again), fates(between), fates(shared)]).toEqual([
      ['appended', 'appended'],
      ['duplicate', 'duplicate'],
      ['appended'],
      ['wrong_expected', 'wrong_expected'],
    ])
    expect((await ids()).toSorted()).toEqual(['a', 'b', 'n'])
    expect(world.intake.queue).toEqual({ events: 0, bytes: 0 })
  })

  test('about somebody who was erased leaves nothing behind', async () => {
    const about = (id: string) => ({
      id,
      type: 'note.taken',
      identities: ['email:jane@example.com'],
      data: {},
    })
    await submit({ value: about('a'), stream: 'note-1' })
    const jane = world.keyStore.find('email', 'jane@example.com')
    if (jane === undefined) throw new Error('she is known')
    await world.keyStore.destroyOwner([jane])
    const results = await submit(note('b'), { value: about('c'), stream: 'note-1' })
    expect(fates(results)).toEqual(['forbidden', 'forbidden'])
    expect(reason(results)).toMatch(/suppressed/)
    expect(await ids()).toEqual(['a'])
  })

  test('is refused while the clock is not trusted', async () => {
    world.clock.jump(3_600_000)
    expect(fates(await submit(note('a'), note('b')))).toEqual(['clock_jumped', 'clock_jumped'])
    expect(await ids()).toEqual([])
  })
})
