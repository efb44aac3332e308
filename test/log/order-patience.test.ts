/**
 * Theorem: however orders come, whoever waits for them hears of each: while it looks, between looking and sleeping, and
 * before it was asked. Where looking was in vain it stops looking, but for a time now and then; and it looks again where
 * that helped.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../engine/clock.ts'
import { OrderPatience } from '../../engine/log/embedded/order-patience.ts'

/** When the next order comes: before it is waited for, at the first look, or just when it gives up looking. */
type Arrival = 'before' | 'soon' | 'late'

class Scene {
  readonly orders = new Int32Array(new SharedArrayBuffer(4))
  arrival: Arrival = 'before'
  looks = 0
  readonly #patience: OrderPatience
  #nowMs = 0

  constructor() {
    const clock: Pick<Clock, 'monotonicMs'> = { monotonicMs: () => this.#tick() }
    this.#patience = new OrderPatience(this.orders, clock)
  }

  /** The first time is asked when looking begins; the one after that, what was looked at hadn't changed yet. */
  #tick(): number {
    this.looks++
    const first = this.looks === 1
    if (this.arrival === 'soon' && first) this.#send()
    if (this.arrival === 'late' && !first) this.#send()
    this.#nowMs += first ? 0 : 1_000
    return this.#nowMs
  }

  #send(): void {
    Atomics.add(this.orders, 0, 1)
  }

  /** True if it looked. */
  wait(arrival: Arrival): boolean {
    const seen = Atomics.load(this.orders, 0)
    this.looks = 0
    this.arrival = arrival
    if (arrival === 'before') this.#send()
    const count = this.#patience.beyond(seen)
    expect(count).toBe(seen + 1)
    return this.looks > 0
  }
}

test('every order is heard of', () => {
  const arrivals = fc.array(fc.constantFrom<Arrival>('before', 'soon', 'late'), { maxLength: 12 })
  fc.assert(
    fc.property(arrivals, (coming) => {
      const scene = new Scene()
      // One that comes late comes only where it is looked for: in vain at most three times in a row.
      let late = 0
      for (const arrival of coming) {
        late = arrival === 'late' ? late + 1 : 0
        scene.wait(late > 3 ? 'before' : arrival)
      }
    }),
    { numRuns: 200 },
  )
})

test('it looks seldom where that was in vain, and always where it helped', () => {
  const scene = new Scene()
  for (let i = 0; i < 4; i++) expect(scene.wait('late')).toBe(true)
  let looked = 0
  // Sleeping at once, it needs what came before.
  for (let i = 0; i < 27; i++) if (scene.wait('before')) looked++
  expect(looked).toBe(0)
  for (let i = 0; i < 10; i++) if (scene.wait('before')) looked++
  expect(looked).toBeGreaterThan(5)
})
