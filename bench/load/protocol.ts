import type { LatencySummary } from './latency.ts'

/** What the bench asks of the generator's process, one at a time; each is answered by one `Reply` that isn't progress. */
export type Order =
  | {
      readonly kind: 'record'
      readonly path: string
      readonly events: number
      readonly seed: number
      readonly people: number
      /** Of the beginning: whom it names are reported. */
      readonly knownAfterEvents: number
    }
  | {
      readonly kind: 'connect'
      readonly tape: string
      readonly natsUrl: string
      readonly httpPort: number
      readonly readToken: string
    }
  | { readonly kind: 'run'; readonly run: Run }
  | { readonly kind: 'disconnect' }

/** One load, with what is measured beside it. Durations in ms. */
export interface Run {
  readonly events: EventsOrder
  readonly warmUpMs: number
  readonly windowMs: number
  readonly windows: number
  /** How long what is under way at the end may still take. */
  readonly graceMs: number
  /** Ends as soon as so many events are acknowledged. */
  readonly maxEvents?: number | undefined
  /** How far the read models are behind is looked at this often. */
  readonly lagEveryMs?: number | undefined
  /** Ends early when the lag exceeds it: it isn't going to be sustained. */
  readonly abortLagMs?: number | undefined
  readonly probes?: { readonly ratePerS: number; readonly people: number } | undefined
  /** Without a rate: as many as get through. */
  readonly queries?:
    | {
        readonly connections: number
        readonly ratePerS?: number | undefined
        readonly people: readonly string[]
      }
    | undefined
}

export type EventsOrder =
  /** `perMessage` 1, or the tape's batches as they are. */
  | { readonly mode: 'closed'; readonly perMessage: 'one' | 'batch'; readonly inFlight: number }
  | {
      readonly mode: 'open'
      readonly perMessage: 'one' | 'batch'
      readonly eventsPerS: number
      /** Messages; further ones wait in the generator, and their waiting counts. */
      readonly maxInFlight: number
    }

export interface LagSample {
  /** Since the first window began. */
  readonly atMs: number
  /** Since the schedule wanted the oldest event sent that the read models don't hold yet; 0: they hold all. */
  readonly lagMs: number
}

export interface RunReport {
  /** Events acknowledged in each window, and its length. */
  readonly windows: readonly { readonly events: number; readonly ms: number }[]
  /** From the intended sending of a message to its acknowledgement, for those intended within the windows. */
  readonly latency: LatencySummary
  /** Messages intended within the windows that got no acknowledgement; `latency` has them with the time they waited. */
  readonly unanswered: number
  readonly acknowledged: number
  readonly refused: number
  readonly quarantined: number
  readonly lag: readonly LagSample[]
  readonly probes?: ProbeReport | undefined
  readonly queries?: QueryReport | undefined
  /** The tape ended, `maxEvents` was reached, or the lag was too long. */
  readonly endedEarly: 'tape' | 'events' | 'lag' | undefined
  /** Share of the windows in which the generator's event loop was busy: near 1 it is what was measured. */
  readonly generatorBusy: number
}

export interface ProbeReport {
  /** From the intended publishing to the arrival of the answer that shows the value. */
  readonly latency: LatencySummary
  /** Answers that claimed the position and didn't show the value. */
  readonly stale: number
  /** Not shown by the end, for whatever reason: `latency` knows nothing of them. */
  readonly failed: number
}

export interface QueryReport {
  /** Answers with the profile. */
  readonly windows: readonly { readonly answers: number; readonly ms: number }[]
  /** From the intended sending of the request, for those intended within the windows. */
  readonly latency: LatencySummary
  /** Answered otherwise than by the profile, or not by the end. */
  readonly failed: number
}

export type Reply =
  /** `people`: identities that the beginning of the tape makes known. */
  | {
      readonly kind: 'recorded'
      readonly events: number
      readonly bytes: number
      readonly ms: number
      readonly people: readonly string[]
    }
  | { readonly kind: 'done' }
  | { readonly kind: 'report'; readonly report: RunReport }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'progress'; readonly acknowledged: number }
  | { readonly kind: 'measuring' }
  | { readonly kind: 'measured' }
