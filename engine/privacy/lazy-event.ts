import type { RecordedEvent } from '../events/event.ts'
import type { Identity } from '../events/identity.ts'
import type { Registry } from '../events/registry.ts'
import type { Opener } from './privacy.ts'
import { type OpenedEvent, reassemble } from './sealing.ts'

type Data = Readonly<Record<string, unknown>>

/**
 * An event as `openEvent` gives it, but opened when its data is first asked for: most folds of most events look at the
 * envelope alone, and decrypting costs more than folding. `data`, `normalised` and `erased` throw what `openEvent` would.
 */
export class LazyEvent implements OpenedEvent {
  readonly position: number
  readonly revision: number
  readonly stream: string
  readonly id: string
  readonly source: string
  readonly type: string
  readonly schema: number
  readonly time: number
  readonly received: number
  readonly sequence: number | undefined
  readonly identities: readonly Identity[]
  readonly actor: string | undefined
  readonly origin: string | undefined
  readonly causation: string | undefined
  readonly correlation: string | undefined
  readonly basedOn: number | undefined
  readonly originalTime: number | undefined
  readonly sentTime: number | undefined
  readonly #recorded: RecordedEvent
  readonly #opener: Opener
  readonly #registry: Pick<Registry, 'upcast'>
  #opened: { readonly data: Data; readonly normalised: Data; readonly erased: number } | undefined

  constructor(recorded: RecordedEvent, opener: Opener, registry: Pick<Registry, 'upcast'>) {
    this.position = recorded.position
    this.revision = recorded.revision
    this.stream = recorded.stream
    this.id = recorded.id
    this.source = recorded.source
    this.type = recorded.type
    this.schema = recorded.schema
    this.time = recorded.time
    this.received = recorded.received
    this.sequence = recorded.sequence
    this.identities = recorded.identities
    this.actor = recorded.actor
    this.origin = recorded.origin
    this.causation = recorded.causation
    this.correlation = recorded.correlation
    this.basedOn = recorded.basedOn
    this.originalTime = recorded.originalTime
    this.sentTime = recorded.sentTime
    this.#recorded = recorded
    this.#opener = opener
    this.#registry = registry
  }

  get data(): Data {
    return this.#open().data
  }

  get normalised(): Data {
    return this.#open().normalised
  }

  get erased(): number {
    return this.#open().erased
  }

  #open(): { readonly data: Data; readonly normalised: Data; readonly erased: number } {
    if (this.#opened !== undefined) return this.#opened
    const { data, normalised, erased } = reassemble(this.#recorded, this.#opener)
    this.#opened = { data: this.#registry.upcast(this.type, this.schema, data), normalised, erased }
    return this.#opened
  }
}
