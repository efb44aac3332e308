import type { Clock } from '../../engine/clock.ts'
import type { PubAck } from '../../engine/intake/nats/pub-ack.ts'
import type { Publisher } from '../../engine/intake/nats/publisher.ts'
import { createLatencyRecorder, type LatencySummary } from './latency.ts'
import type { Frame, TapeReader } from './tape.ts'

/** The part of time that counts, on the clock. */
export interface Span {
  readonly fromMs: number
  readonly windowMs: number
  readonly windows: number
}

/** Index of the window that a moment falls into; undefined before the first and after the last. */
export function windowOf({ fromMs, windowMs, windows }: Span, atMs: number): number | undefined {
  const index = Math.floor((atMs - fromMs) / windowMs)
  return index >= 0 && index < windows ? index : undefined
}

const decoder = new TextDecoder()

/** Sends the tape's events as messages, and keeps account of what became of each. */
export class EventLoad {
  readonly eventsByWindow: number[]
  acknowledged = 0
  refused = 0
  quarantined = 0
  tapeEnded = false
  readonly #publisher: Publisher
  readonly #subject: string
  readonly #tape: TapeReader
  readonly #one: boolean
  readonly #clock: Clock
  readonly #span: Span
  readonly #latency = createLatencyRecorder()
  /** By number of the message: when it was wanted sent, and its last position once that is known. */
  readonly #intendedMs: number[] = []
  readonly #positions: (number | undefined)[] = []
  #oldestUnseen = 0
  #frame: Frame | undefined
  #inFrame = 0

  constructor(options: {
    readonly publisher: Publisher
    readonly subject: string
    readonly tape: TapeReader
    readonly perMessage: 'one' | 'batch'
    readonly clock: Clock
    readonly span: Span
  }) {
    this.#publisher = options.publisher
    this.#subject = options.subject
    this.#tape = options.tape
    this.#one = options.perMessage === 'one'
    this.#clock = options.clock
    this.#span = options.span
    this.eventsByWindow = Array<number>(options.span.windows).fill(0)
  }

  /** False when the tape has ended. `intendedMs` is when the schedule wanted it sent. */
  post(intendedMs: number, done: () => void): boolean {
    const message = this.#next()
    if (message === undefined) {
      this.tapeEnded = true
      return false
    }
    const number = this.#intendedMs.push(intendedMs) - 1
    this.#positions.push(undefined)
    this.#publisher.post(this.#subject, message.payload, (answer) => {
      this.#settle(number, message.events, answer)
      done()
    })
    return true
  }

  #next(): { readonly payload: Uint8Array; readonly events: number } | undefined {
    if (this.#frame === undefined || !this.#one || this.#inFrame === this.#frame.events) {
      this.#frame = this.#tape.next()
      this.#inFrame = 0
    }
    if (this.#frame === undefined) return undefined
    if (!this.#one) return { payload: this.#frame.batch, events: this.#frame.events }
    return { payload: this.#frame.event(this.#inFrame++), events: 1 }
  }

  #settle(number: number, events: number, answer: Uint8Array): void {
    const nowMs = this.#clock.monotonicMs()
    const intendedMs = this.#intendedMs[number] ?? nowMs
    if (windowOf(this.#span, intendedMs) !== undefined) this.#latency.record(nowMs - intendedMs)
    const ack = readAck(answer)
    if (ack === undefined) {
      this.refused += events
      // Nothing that the read models will ever show.
      this.#positions[number] = 0
      return
    }
    for (const { status } of ack.results) {
      if (status === 'refused') this.refused += 1
      else if (status === 'quarantined') this.quarantined += 1
    }
    const kept = ack.results.filter(({ status }) => status !== 'refused')
    this.#positions[number] = Math.max(
      0,
      ...kept.map((result) => ('position' in result ? result.position : 0)),
    )
    this.acknowledged += kept.length
    const window = windowOf(this.#span, nowMs)
    if (window !== undefined) this.eventsByWindow[window] = (this.eventsByWindow[window] ?? 0) + kept.length
  }

  /** How long ago the schedule wanted the oldest message sent that isn't seen at `position` yet; 0: all are. */
  lagMs(position: number, nowMs: number): number {
    for (; this.#oldestUnseen < this.#positions.length; this.#oldestUnseen++) {
      const last = this.#positions[this.#oldestUnseen]
      if (last === undefined || last > position) break
    }
    const intendedMs = this.#intendedMs[this.#oldestUnseen]
    return intendedMs === undefined ? 0 : nowMs - intendedMs
  }

  /** What isn't sent (`neverSent`: when it was wanted) or answered by now has waited at least until now; leaving it out would flatter. */
  finish(neverSent: readonly number[]): { readonly latency: LatencySummary; readonly unanswered: number } {
    const nowMs = this.#clock.monotonicMs()
    let unanswered = 0
    for (const intendedMs of neverSent) {
      if (windowOf(this.#span, intendedMs) === undefined) continue
      unanswered += 1
      this.#latency.record(nowMs - intendedMs)
    }
    for (const [number, intendedMs] of this.#intendedMs.entries()) {
      if (this.#positions[number] !== undefined || windowOf(this.#span, intendedMs) === undefined) continue
      unanswered += 1
      this.#latency.record(nowMs - intendedMs)
    }
    return { latency: this.#latency.summary(), unanswered }
  }
}

/** undefined: no PubAck; the server's word that nobody listens is empty. */
export function readAck(answer: Uint8Array): PubAck | undefined {
  try {
    const ack = JSON.parse(decoder.decode(answer)) as PubAck
    return Array.isArray(ack.results) ? ack : undefined
  } catch {
    return undefined
  }
}
