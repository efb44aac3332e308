/**
 * Theorem: atomic batches of one event that are submitted at once share a commit, in order of submission, and each is answered for
 * itself: as a repetition, as not expected, or refused without a trace, whatever stands beside it.
 */
import { expect, test } from 'vitest'
import type { Incoming, IntakeResult } from '../../engine/intake/result.ts'
import type { AppendEvent } from '../../engine/log/log.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { intakeWorld } from '../support/intake-world.ts'

const note = (id: string, more: object = {}): Incoming => ({
  value: { id, type: 'note.taken', data: { id } },
  stream: 'note-1',
  ...more,
})

function fate([result]: readonly IntakeResult[]): string {
  if (result?.status === 'refused') return result.refusal.code
  return result?.status === 'appended' ? `appended ${result.position}` : `${result?.status}`
}

/** What becomes of batches that are submitted in one go, and how many events each append to the log had. */
async function submitted(batches: readonly (readonly Incoming[])[], before: readonly Incoming[] = []) {
  const inner = createMemoryLog({})
  const appends: number[] = []
  const append = (events: readonly AppendEvent[], options?: { readonly atomic?: boolean }) => {
    appends.push(events.length)
    return inner.append(events, options)
  }
  const log = new Proxy(inner, {
    get: (target, name) => {
      if (name === 'append') return append
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const world = intakeWorld({ log })
  try {
    const submit = (batch: readonly Incoming[]) => world.intake.submitAtomic(batch, { defaultSource: 'web' })
    if (before.length > 0) await submit(before)
    appends.length = 0
    const fates = (await Promise.all(batches.map(submit))).map(fate)
    const ids = (await world.events()).map(({ id }) => id)
    return {
      fates,
      appends,
      ids,
      queue: world.intake.queue,
      quarantined: world.quarantine.list({ limit: 10 }).length,
    }
  } finally {
    await world.close()
  }
}

test('many are one commit, in order', async () => {
  const names = Array.from({ length: 50 }, (_, n) => `n${n}`)
  const { fates, appends, ids } = await submitted(names.map((id) => [note(id)]))
  expect(fates).toEqual(names.map((_, n) => `appended ${n + 1}`))
  expect(ids).toEqual(names)
  expect(appends).toEqual([50])
})

test('what is refused, repeated or not expected leaves its neighbours alone, and nothing in quarantine', async () => {
  const invalid: Incoming = { value: { id: 'x', type: 'cdp.page', data: { userId: {} } }, stream: 'note-1' }
  const { fates, appends, ids, queue, quarantined } = await submitted(
    [
      [note('a', { expected: { revision: 0 } })],
      [invalid],
      [note('old')],
      [note('b', { expected: { revision: 7 } })],
      [note('a')],
      [note('c')],
      [note('d'), note('e')],
      [note('f')],
    ],
    [note('old')],
  )
  expect(fates).toEqual([
    'appended 2',
    'forbidden',
    'duplicate',
    'wrong_expected',
    'duplicate',
    'appended 3',
    'appended 4',
    'appended 6',
  ])
  expect(ids).toEqual(['old', 'a', 'c', 'd', 'e', 'f'])
  expect(appends.length).toBeLessThan(6)
  expect(queue).toEqual({ events: 0, bytes: 0 })
  expect(quarantined).toBe(0)
})
