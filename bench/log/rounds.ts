import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import { median } from '../main/findings.ts'
import type { BenchEvent } from './events.ts'
import { collectGarbage } from './garbage.ts'
import type { Contender } from './peers/peer.ts'

/** Events per second of each contender, one rate a round: the same index is the same round for all. */
export type Rates = ReadonlyMap<string, readonly number[]>

/**
 * Gives the batches to a contender, so many at once as it takes; stops handing out when `withinMs` is over. Events per
 * second from the first one handed in until the last one is durable.
 */
export async function rateOf(
  contender: Contender,
  batches: readonly (readonly BenchEvent[])[],
  clock: Clock,
  withinMs = Number.POSITIVE_INFINITY,
): Promise<number> {
  contender.prepare?.(batches)
  collectGarbage()
  let next = 0
  let events = 0
  const startMs = clock.monotonicMs()
  const send = async (): Promise<void> => {
    while (next < batches.length && clock.monotonicMs() - startMs < withinMs) {
      const index = next++
      const batch = batches[index] ?? []
      await contender.append(batch, index)
      events += batch.length
    }
  }
  await Promise.all(Array.from({ length: contender.inFlight }, send))
  return (events * 1_000) / (clock.monotonicMs() - startMs)
}

/**
 * Round by round, each contender in turn with the same batches; who begins rotates, so that nobody always follows the same
 * other. The first round warms up and doesn't count; after one that does, `enough` may end it.
 */
export async function interleave(
  contenders: readonly Contender[],
  rounds: number,
  batchesOf: (round: number) => readonly (readonly BenchEvent[])[],
  measure: (contender: Contender, batches: readonly (readonly BenchEvent[])[]) => Promise<number>,
  enough: () => boolean = () => false,
): Promise<Rates> {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds && !(round > 1 && enough()); round++) {
    const batches = batchesOf(round)
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + round) % contenders.length]
      if (contender === undefined) continue
      const rate = await measure(contender, batches)
      if (round > 0) rates.get(contender.name)?.push(rate)
      await setImmediate()
    }
  }
  return rates
}

/** The median of the rounds' ratios: what disturbs a round disturbs both. undefined where either wasn't measured. */
export function medianRatio(rates: Rates, name: string, other: string): number | undefined {
  const others = rates.get(other) ?? []
  const ratios = (rates.get(name) ?? []).flatMap((rate, round) => {
    const against = others[round]
    return against === undefined ? [] : [rate / against]
  })
  return median(ratios)
}
