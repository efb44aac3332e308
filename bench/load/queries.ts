import { strict as assert } from 'node:assert'
import type { Clock } from '../../engine/clock.ts'
import { createRandom } from '../simulator/random.ts'
import { startClosedLoop } from './closed-loop.ts'
import { type Span, windowOf } from './event-load.ts'
import type { HttpClient } from './http-client.ts'
import { createLatencyRecorder } from './latency.ts'
import { type OpenLoop, startOpenLoop } from './open-loop.ts'
import type { QueryReport } from './protocol.ts'

export interface QueriesOptions {
  readonly http: HttpClient
  readonly clock: Clock
  readonly wait: (ms: number, then: () => void) => void
  readonly span: Span
  readonly connections: number
  /** Open loop at this rate; without it every connection asks again as soon as it is answered. */
  readonly ratePerS: number | undefined
  readonly count: number
  /** `namespace:value` of people that are known. */
  readonly people: readonly string[]
}

export interface Queries {
  readonly loop: OpenLoop
  /** `neverSent`: when what was due and not sent was wanted sent. */
  report(neverSent: readonly number[]): QueryReport
}

/** `GET /v1/profiles/:id` of people drawn evenly. */
export function startQueries(options: QueriesOptions): Queries {
  const { clock, span, http, people } = options
  assert.ok(people.length > 0, 'nobody to ask for')
  const random = createRandom('queries')
  const latency = createLatencyRecorder()
  const answers = Array<number>(span.windows).fill(0)
  let wanted = 0
  let succeeded = 0
  const ask = (intendedMs: number, done: () => void): void => {
    const counts = windowOf(span, intendedMs) !== undefined
    if (counts) wanted += 1
    const person = random.pick(people)
    http.get(`/v1/profiles/${person}`, (status) => {
      const nowMs = clock.monotonicMs()
      const answered = windowOf(span, nowMs)
      if (status === 200 && answered !== undefined) answers[answered] = (answers[answered] ?? 0) + 1
      if (counts) {
        latency.record(nowMs - intendedMs)
        if (status === 200) succeeded += 1
      }
      done()
    })
  }
  const loop =
    options.ratePerS === undefined
      ? startClosedLoop(options.connections, (done) => {
          ask(clock.monotonicMs(), done)
          return true
        })
      : startOpenLoop({
          ...options,
          ratePerS: options.ratePerS,
          maxInFlight: options.connections,
          send: (_, intendedMs, done) => {
            ask(intendedMs, done)
            return true
          },
        })
  return {
    loop,
    report(neverSent) {
      const nowMs = clock.monotonicMs()
      const missing = neverSent.filter((intendedMs) => windowOf(span, intendedMs) !== undefined)
      for (const intendedMs of missing) latency.record(nowMs - intendedMs)
      const windows = answers.map((count) => ({ answers: count, ms: span.windowMs }))
      return { windows, latency: latency.summary(), failed: wanted + missing.length - succeeded }
    },
  }
}
