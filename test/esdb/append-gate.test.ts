/**
 * Theorem: while a stream is held, no append to it begins, and whoever holds it can wait for all that began before; other streams'
 * appends go on, and holders of one stream come one after the other.
 */
import { expect, test } from 'vitest'
import { AppendGate } from '../../api/esdb/append-gate.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

function begun() {
  const told: string[] = []
  const gate = new AppendGate()
  const append = (stream: string, name: string) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = gate.append(stream, async () => {
      told.push(`${name} begins`)
      await promise
      told.push(`${name} ends`)
    })
    return { end: resolve, done }
  }
  return { told, gate, append }
}

test('a holder waits for the appends before it, of all streams, and for none after it', async () => {
  const { told, gate, append } = begun()
  const [first, other] = [append('thing-1', 'first'), append('thing-2', 'other')]
  await turn()
  const free = Promise.withResolvers<void>()
  const held = gate.hold('thing-1', async (drained) => {
    await drained()
    told.push('drained')
    await free.promise
  })
  await turn()
  const [late, elsewhere] = [append('thing-1', 'late'), append('thing-2', 'elsewhere')]
  await turn()
  expect(told).toEqual(['first begins', 'other begins', 'elsewhere begins'])
  first.end()
  await turn()
  expect(told).not.toContain('drained')
  other.end()
  await turn()
  expect(told.slice(3)).toEqual(['first ends', 'other ends', 'drained'])
  free.resolve()
  await held
  await turn()
  expect(told.at(-1)).toBe('late begins')
  late.end()
  elsewhere.end()
  await Promise.all([late.done, elsewhere.done])
})

test('two holders of different streams both wait for an append that was there before either', async () => {
  const { told, gate, append } = begun()
  const first = append('thing-3', 'first')
  await turn()
  const holders = ['thing-1', 'thing-2'].map((stream) =>
    gate.hold(stream, async (drained) => {
      await drained()
      told.push(`${stream} drained`)
    }),
  )
  await turn()
  expect(told).toEqual(['first begins'])
  first.end()
  await Promise.all(holders)
  expect(told).toEqual(['first begins', 'first ends', 'thing-1 drained', 'thing-2 drained'])
})

test('holders of one stream come one after the other, also behind one that fails', async () => {
  const { gate } = begun()
  let holding = 0
  const hold = (fails: boolean) =>
    gate.hold('thing-1', async (drained) => {
      holding += 1
      await drained()
      await turn()
      expect(holding).toBe(1)
      holding -= 1
      if (fails) throw new Error('it failed')
    })
  const held = await Promise.allSettled([hold(false), hold(true), hold(false), hold(false)])
  expect(held.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
})
