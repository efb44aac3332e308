/** What the bench tells the process with the client, and what that answers. */
export type Order =
  /** Appends of `batch` events to many streams, so many in flight, handed out for `forMs`. */
  | { readonly kind: 'append'; readonly inFlight: number; readonly batch: number; readonly forMs: number }
  /** `$all` from its beginning. */
  | { readonly kind: 'read'; readonly events: number }
  /** As many appends of one event, all at once, then a look at what of them `$all` holds. */
  | { readonly kind: 'flood'; readonly appends: number }
  /** Appends through the client alone that carry what the log would send. */
  | ({ readonly kind: 'bare' } & AdapterWork)
  /** The same through the log that lies in the server, its index in the directory; opened at the first order. */
  | ({ readonly kind: 'adapter'; readonly directory: string } & AdapterWork)

export interface AdapterWork {
  readonly appends: number
  readonly batch: number
  /** One append at a time to each. */
  readonly streams: number
}

export type Found =
  | { readonly kind: 'rate'; readonly events: number; readonly ms: number }
  | ({ readonly kind: 'flood' } & Flood)
  | { readonly kind: 'failed'; readonly message: string }

export interface Flood {
  readonly answered: number
  readonly ms: number
  /** What became of those that weren't answered with success: message → how often. */
  readonly failed: Readonly<Record<string, number>>
  /** Of those that were answered: events in the log, counted as often as they are there. */
  readonly stored: number
  /** The same, each counted once. */
  readonly distinct: number
}
