import { createHash } from 'node:crypto'
import { Packr } from 'msgpackr'
import type { EventOf, EventType } from '../events/catalogue.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'

/** What of a configuration a read model depends on. */
export type Configured = Pick<AnyProjection, 'configuredBy' | 'concerns'>

const packr = new Packr({ useRecords: false })

/**
 * Published configuration, folded as the log goes by: of each type the newest event of each stream, in the order of the
 * streams' names, so that equal content is equal whatever way it came about.
 */
export class ConfigurationState implements Configuration {
  readonly #byType = new Map<string, Map<string, DecodedEvent>>()

  /** True if anything changed. Events must come in log order. */
  apply(event: DecodedEvent): boolean {
    const streams = this.#byType.get(event.type) ?? new Map<string, DecodedEvent>()
    const before = streams.get(event.stream)
    if (before !== undefined && before.position >= event.position) return false
    streams.set(event.stream, event)
    this.#byType.set(event.type, streams)
    return true
  }

  all<T extends EventType>(type: T): readonly EventOf<T>[] {
    // The map under a type holds events of that type only: `apply` keeps it so.
    return this.#ofType(type) as EventOf<T>[]
  }

  #ofType(type: string): DecodedEvent[] {
    const streams = [...(this.#byType.get(type)?.values() ?? [])]
    return streams.sort((a, b) => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0))
  }

  /** As it stands now, unmoved by later `apply` calls. */
  snapshot(): ConfigurationState {
    const copy = new ConfigurationState()
    for (const [type, streams] of this.#byType) copy.#byType.set(type, new Map(streams))
    return copy
  }

  /**
   * First 8 hexadecimal digits of a SHA-256 over what of this concerns a projection, source by stream; equal content gives
   * an equal hash whatever the positions.
   */
  hash({ configuredBy, concerns = dataOf }: Configured): string {
    const content = [...configuredBy].sort().map((type) => [
      type,
      this.#ofType(type).flatMap((event) => {
        const concern = concerns(event)
        return concern === undefined ? [] : [[event.stream, event.source, concern]]
      }),
    ])
    return createHash('sha256').update(packr.pack(content)).digest('hex').slice(0, 8)
  }
}

function dataOf({ data }: DecodedEvent): unknown {
  return data
}
