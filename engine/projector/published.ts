import assert from 'node:assert/strict'
import type { EventType } from '../events/catalogue.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { LogReader } from '../log/log.ts'
import { ConfigurationState } from './configuration.ts'
import type { AnyProjection, DecodedEvent } from './projection.ts'

interface PublishedOptions {
  readonly log: LogReader
  readonly projections: readonly AnyProjection[]
  readonly open: (event: RecordedEvent) => DecodedEvent
}

/**
 * All that the log was found to publish, beyond what is folded too: many definitions in a row, or in a long log that is
 * caught up with, fold what they concern once.
 */
export class Published {
  /** Types of events that publish. */
  readonly types: ReadonlySet<string>
  readonly #options: PublishedOptions
  #configuration = new ConfigurationState()
  /** How far the log was looked through. */
  #readTo = 0

  constructor(options: PublishedOptions) {
    this.#options = options
    this.types = new Set<EventType>([
      ...options.projections.flatMap((projection) => projection.configuredBy),
      'rules.published',
    ])
  }

  get configuration(): ConfigurationState {
    return this.#configuration
  }

  /** It publishes, and wasn't looked at yet. */
  isNew({ position, type }: Pick<RecordedEvent, 'position' | 'type'>): boolean {
    return position > this.#readTo && this.types.has(type)
  }

  /** Up to the log's end. True if it changed something. */
  async read(from = this.#readTo + 1): Promise<boolean> {
    const { log } = this.#options
    this.#readTo = Math.max(this.#readTo, log.head().position)
    let isChange = false
    for await (const batch of log.read({ from, types: this.types })) {
      for (const recorded of batch) {
        isChange = this.#take(recorded) || isChange
        this.#readTo = Math.max(this.#readTo, recorded.position)
      }
    }
    return isChange
  }

  /** From the log's beginning: some of it can't be opened any more. */
  async readAnew(): Promise<void> {
    this.#configuration = new ConfigurationState()
    this.#readTo = 0
    await this.read()
  }

  /** True if it changed something; what can't be opened configures nothing, and is poison to whoever handles it. */
  #take(recorded: RecordedEvent): boolean {
    try {
      const event = this.#options.open(recorded)
      // Events may be opened only when their data is asked for: here is where that may fail.
      assert(event.data !== undefined)
      return this.#configuration.apply(event)
    } catch {
      return false
    }
  }
}
