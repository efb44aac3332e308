/**
 * Theorem: which events of `$all` make up the log, and in which order, follows from `$all` alone: whatever order a writer's events
 * arrive in, and wherever reading is broken off and taken up again, they count in the order of their positions, an atomic append
 * whole or not at all, and nothing counts that a writer writes after the next one opened the log.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Order, type Placed } from '../../engine/log/eventstore/order.ts'

const at = (position: number): Placed => ({ position })
const inBatch = (position: number, first: number, last: number): Placed => ({
  position,
  batch: { first, last },
})
const positions = (events: readonly Placed[]) => events.map(({ position }) => position)

function opened(): Order<Placed> {
  const order = new Order<Placed>(1, undefined)
  expect(order.open('a').settled).toEqual([])
  return order
}

describe('the order of the log in EventStoreDB', () => {
  it('is that of the positions, in whatever order a writer’s events arrive', () => {
    const shuffled = fc.integer({ min: 1, max: 30 }).chain((count) =>
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, i) => i + 1),
        { minLength: count },
      ),
    )
    fc.assert(
      fc.property(shuffled, (arriving) => {
        const order = opened()
        const settled: number[] = []
        arriving.forEach((position, i) => {
          settled.push(...positions(order.take('a', at(position))))
          const whole = Math.min(...arriving.slice(i + 1), arriving.length + 1) - 1
          expect(settled).toHaveLength(whole)
        })
        expect(settled).toEqual(arriving.toSorted((a, b) => a - b))
        expect(order.isSettled).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('takes each position once', () => {
    const order = opened()
    expect(positions(order.take('a', at(2)))).toEqual([])
    expect(positions(order.take('a', at(2)))).toEqual([])
    expect(positions(order.take('a', at(1)))).toEqual([1, 2])
    expect(positions(order.take('a', at(1)))).toEqual([])
    expect(order.next).toBe(3)
  })

  it('takes an atomic append when all of it is there', () => {
    const order = opened()
    expect(order.take('a', inBatch(1, 1, 3))).toEqual([])
    expect(order.take('a', inBatch(3, 1, 3))).toEqual([])
    expect(order.take('a', at(4))).toEqual([])
    expect(positions(order.take('a', inBatch(2, 1, 3)))).toEqual([1, 2, 3, 4])
  })

  it('at the next opening takes what is left, without atomic appends that lack something', () => {
    const order = opened()
    for (const event of [inBatch(1, 1, 2), at(4), inBatch(6, 5, 6), inBatch(5, 5, 6)]) {
      expect(order.take('a', event)).toEqual([])
    }
    expect(order.isSettled).toBe(false)
    const { settled, dropped } = order.open('b')
    // At the places that the lost ones leave: there are no gaps.
    expect(positions(settled)).toEqual([1, 2, 3])
    expect(positions(dropped)).toEqual([1])
    expect([order.isSettled, order.next]).toEqual([true, 4])
  })

  it('takes nothing of a writer after the next one opened the log', () => {
    const order = opened()
    order.take('a', at(1))
    order.open('b')
    expect(order.take('a', at(2))).toEqual([])
    expect(positions(order.take('b', at(2)))).toEqual([2])
    expect(order.take('a', at(3))).toEqual([])
    expect(order.take('unheard of', at(3))).toEqual([])
  })
})
