import type { Clock } from '../../engine/clock.ts'
import type { Publisher } from '../../engine/intake/nats/publisher.ts'
import { readAck, type Span, windowOf } from './event-load.ts'
import type { HttpClient } from './http-client.ts'
import { createLatencyRecorder } from './latency.ts'
import { type OpenLoop, startOpenLoop } from './open-loop.ts'
import type { ProbeReport } from './protocol.ts'

export interface ProbesOptions {
  readonly publisher: Publisher
  readonly subject: string
  readonly http: HttpClient
  readonly clock: Clock
  readonly wait: (ms: number, then: () => void) => void
  readonly span: Span
  readonly ratePerS: number
  readonly people: number
  readonly count: number
  /** Of the run: no two probes of an engine have one id. */
  readonly number: number
}

export interface Probes {
  readonly loop: OpenLoop
  /** `neverSent`: when what was due and not sent was wanted sent. */
  report(neverSent: readonly number[]): ProbeReport
}

const MAX_IN_FLIGHT = 2_000
/** Looks at a profile that should show the value before a probe counts as failed. */
const MAX_LOOKS = 100

/**
 * Each probe writes a number into a known person's trait and, once that is acknowledged, asks for the profile at the
 * acknowledged position: `?after=` answers as soon as the read models hold it. The time runs from the intended publishing
 * to the answer in which the number stands.
 */
export function startProbes(options: ProbesOptions): Probes {
  const { clock, span } = options
  const latency = createLatencyRecorder()
  let measured = 0
  let stale = 0
  const probe = (index: number, intendedMs: number, done: () => void): void => {
    const counts = windowOf(span, intendedMs) !== undefined
    if (counts) measured += 1
    const person = `user:probe-${index % options.people}`
    const look = (path: string, looks: number): void => {
      options.http.get(path, (status, body) => {
        if (status !== 200 || looks === MAX_LOOKS) return done()
        if (!showsAtLeast(body, index + 1)) {
          stale += 1
          return look(path, looks + 1)
        }
        if (counts) latency.record(clock.monotonicMs() - intendedMs)
        done()
      })
    }
    options.publisher.post(
      options.subject,
      probeEvent(`${options.number}-${index}`, person, index + 1),
      (answer) => {
        const ack = readAck(answer)
        if (ack === undefined || 'error' in ack || ack.results[0]?.status !== 'appended') return done()
        look(`/v1/profiles/${person}?after=${ack.seq}`, 1)
      },
    )
  }
  const loop = startOpenLoop({
    ...options,
    maxInFlight: MAX_IN_FLIGHT,
    send: (index, intendedMs, done) => {
      probe(index, intendedMs, done)
      return true
    },
  })
  return {
    loop,
    report(neverSent) {
      const missing = neverSent.filter((intendedMs) => windowOf(span, intendedMs) !== undefined)
      const summary = latency.summary()
      return { latency: summary, stale, failed: measured + missing.length - summary.count }
    },
  }
}

function probeEvent(id: string, person: string, probe: number): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      id: `probe-${id}`,
      source: 'web',
      type: 'cdp.identify',
      identities: [person],
      data: { traits: { probe } },
    }),
  )
}

/** A later probe of the same person may have overtaken it: then the number is greater. */
function showsAtLeast(body: Buffer, number: number): boolean {
  const answer = JSON.parse(body.toString()) as {
    readonly data?: { readonly traits?: { readonly probe?: unknown } }
  }
  const shown = answer.data?.traits?.probe
  return typeof shown === 'number' && shown >= number
}
