import type { IntakeResult } from '../../engine/intake/result.ts'
import type { Sent } from './events.ts'
import { Random, seedOf } from './random.ts'
import type { Timeline } from './timeline.ts'

interface NetworkParts {
  readonly seed: number
  readonly timeline: Timeline
  /** undefined: nobody answers, now or ever. */
  readonly submit: (events: readonly Sent[]) => Promise<readonly IntakeResult[]> | undefined
}

const RETRY_MS = 400
const LOST = 8
const REPEATED = 8

/**
 * Senders that don't give up: a batch is sent again, whole, until the answer says that nothing of it was refused for the
 * moment. On the way requests and answers are delayed, overtake each other, come twice or not at all.
 */
export class Network {
  readonly #parts: NetworkParts
  #unsettled = 0

  constructor(parts: NetworkParts) {
    this.#parts = parts
  }

  get isSettled(): boolean {
    return this.#unsettled === 0
  }

  send(events: readonly Sent[], step: number): void {
    const random = new Random(seedOf(this.#parts.seed, 1_000 + step))
    this.#unsettled += 1
    let settled = false
    const settle = (): void => {
      if (settled) return
      settled = true
      this.#unsettled -= 1
    }
    const attempt = (): void => {
      if (settled) return
      this.#deliver(events, random, settle)
      if (random.percent(REPEATED)) this.#deliver(events, random, settle)
      this.#parts.timeline.after(RETRY_MS + random.below(1_200), attempt)
    }
    attempt()
  }

  #deliver(events: readonly Sent[], random: Random, settle: () => void): void {
    const { timeline, submit } = this.#parts
    const delayMs = random.percent(10) ? random.below(5_000) : random.below(40)
    const backMs = random.below(40)
    const isLost = random.percent(LOST)
    const isAnswerLost = random.percent(LOST)
    if (isLost) return
    timeline.after(delayMs, () => {
      void submit(events)?.then((results) => {
        if (!isAnswerLost && results.every(isFinal)) timeline.after(backMs, settle)
      })
    })
  }
}

/** An expectation that isn't met won't be met by sending again. */
function isFinal(result: IntakeResult): boolean {
  return result.status !== 'refused' || result.refusal.code === 'wrong_expected'
}
