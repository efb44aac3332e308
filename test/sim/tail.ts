import { isDeepStrictEqual } from 'node:util'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { toPlain } from '../../engine/log/recorded.ts'
import { Dead, type Process } from './process.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'
import { must } from './violation.ts'

/** A slow subscriber, as a webhook is: it goes on where it was in whatever process answers. */
export class Tail {
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #heard: RecordedEvent[] = []

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline
    this.#random = random
  }

  get position(): number {
    return this.#heard.at(-1)?.position ?? 0
  }

  follow(log: LogReader, process: Process): void {
    const stopping = new AbortController()
    process.whenEnded(() => stopping.abort())
    this.#follow(log, process, stopping.signal).catch((error: unknown) => {
      if (!(error instanceof Dead)) throw error
    })
  }

  /** What was heard of stands in the log, in its order and as it was. */
  check(events: readonly RecordedEvent[]): void {
    for (const [at, heard] of this.#heard.entries())
      must(
        isDeepStrictEqual(heard, events[at]),
        () =>
          `a subscriber heard ${heard.source}/${heard.id} at ${heard.position}, where now another event stands`,
      )
  }

  async #follow(log: LogReader, process: Process, signal: AbortSignal): Promise<void> {
    for await (const batch of log.subscribe({ from: this.position + 1, signal })) {
      if (!process.alive) return
      this.#heard.push(...batch.map(toPlain))
      await process.awaited(this.#timeline.sleep(this.#random.pick([0, 1, 5, 300])))
    }
  }
}
