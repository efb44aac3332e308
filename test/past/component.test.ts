/**
 * Theorem: as much history as is allowed is answered and one event more isn't, whatever else the log holds; who has far more is
 * given up after a thousand events and, at this and any later position, after none; an earlier moment isn't held against it.
 */
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { eventsNamingOne, regionAt } from '../../api/history/component.ts'
import { PastPeople } from '../../api/history/people.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { Log } from '../../engine/log/log.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { type ArrayLog, arrayLog } from '../api/array-log.ts'

const LIMITS = { events: 3_000, identities: 10 }
const received = (position: number): Moment => ({ by: 'received', position, received: position })

/** `count` events of one identity, and what an index would do: positions that are skipped are never read. */
function world(count: number) {
  const log = arrayLog(500)
  for (let i = 0; i < count; i++) log.push({ id: `${i}`, identities: [{ id: 'a', namespace: 'user' }] })
  const seen = { read: 0 }
  const indexed: Pick<Log, 'readIdentity'> = {
    async *readIdentity(id, { skip = () => false, ...options } = {}) {
      for await (const batch of log.readIdentity(id, options))
        for (const event of batch) {
          if (skip(event.position)) continue
          seen.read += 1
          yield [event]
        }
    },
  }
  return { log, indexed, seen }
}

async function isAnswered(log: Pick<Log, 'readIdentity'>, moment: Moment): Promise<readonly boolean[]> {
  const found = [await regionAt(log, ['a'], moment, LIMITS), await eventsNamingOne(log, 'a', moment, LIMITS)]
  return found.map(({ _tag }) => _tag === 'Right')
}

describe.each(['with an index', 'without'])('%s', (kind) => {
  const logOf = ({
    log,
    indexed,
  }: {
    readonly log: ArrayLog
    readonly indexed: Pick<Log, 'readIdentity'>
  }) => (kind === 'without' ? log : indexed)

  test('the limit itself is answered, one more is not', async () => {
    expect(await isAnswered(logOf(world(LIMITS.events)), received(9_999))).toEqual([true, true])
    expect(await isAnswered(logOf(world(LIMITS.events + 1)), received(9_999))).toEqual([false, false])
    // What came later doesn't count.
    expect(await isAnswered(logOf(world(LIMITS.events + 1)), received(LIMITS.events))).toEqual([true, true])
  })
})

test('far more is given up early, and remembered for later positions alone', async () => {
  const { indexed, seen } = world(9_000)
  const ask = async (position: number) => {
    seen.read = 0
    return [E.isRight(await regionAt(indexed, ['a'], received(position), LIMITS)), seen.read]
  }
  expect(await ask(9_000)).toEqual([false, 1_000])
  expect(await ask(9_000)).toEqual([false, 0])
  expect(await ask(5_000)).toEqual([false, 1_000])
  expect(await ask(8_000)).toEqual([false, 0])
  expect(await ask(3_000)).toEqual([true, 3_000])
})

test('what hangs together is read once, however many are asked for', async () => {
  const { indexed, log, seen } = world(20)
  for (const other of ['b', 'c'])
    log.push({
      id: other,
      identities: [
        { id: 'a', namespace: 'user' },
        { id: other, namespace: 'device' },
      ],
    })
  const people = new PastPeople(indexed, received(99), { rules: DEFAULT_RULES, limits: LIMITS })
  for (const id of ['b', 'a', 'c', 'nobody', 'nobody']) {
    const found = await people.profileOf(id)
    const profile = id === 'nobody' ? { id, members: [id] } : { id: 'a', members: ['a', 'b', 'c'] }
    expect(found).toEqual(E.right(profile))
  }
  expect(seen.read).toBe(22)
})
