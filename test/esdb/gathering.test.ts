/**
 * Theorem: what comes in one turn of the event loop goes on together behind all of it, in its order, and what comes later doesn't
 * wait for it nor hold it up.
 */
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Gathering } from '../../api/esdb/gathering.ts'

test('goes on together, turn by turn', async () => {
  const gathering = new Gathering()
  const seen: string[] = []
  const come = (name: string): void => {
    void gathering.together().then(() => {
      seen.push(name)
      // As the intake does, which takes what has come by then as one group.
      queueMicrotask(() => seen.push(`group of ${name}`))
    })
  }
  come('a')
  process.nextTick(() => come('b'))
  await Promise.resolve()
  come('c')
  seen.push('received')
  await setImmediate()
  expect(seen).toEqual(['received', 'a', 'c', 'b', 'group of a', 'group of c', 'group of b'])
  come('d')
  await setImmediate()
  expect(seen.slice(7)).toEqual(['d', 'group of d'])
})
