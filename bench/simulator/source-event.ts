/** An event as a system sends it: CloudEvents 1.0 attributes in JSON form. */
export interface SourceEvent {
  readonly id: string
  /** One of the five systems. */
  readonly source: string
  readonly type: string
  /** RFC 3339, UTC. */
  readonly time: string
  /** `namespace:value`. */
  readonly identities?: readonly string[] | undefined
  readonly data: Readonly<Record<string, unknown>>
}
