import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Opener } from '../../engine/privacy/privacy.ts'
import type { DecodedEvent } from '../../engine/projector/projection.ts'
import type { Disk } from './disk.ts'
import { opened } from './life.ts'
import type { Reading } from './oracle.ts'

/** What the disk holds of the log, whoever has heard of it. */
export class DurableLog {
  readonly #disk: Disk
  #events: Promise<readonly RecordedEvent[]> | undefined
  /** As it was when `#events` was asked for. */
  #version = 0

  constructor(disk: Disk) {
    this.#disk = disk
  }

  events(): Promise<readonly RecordedEvent[]> {
    const { log } = this.#disk
    if (this.#events === undefined || log.version !== this.#version) {
      this.#version = log.version
      this.#events = log.events()
    }
    return this.#events
  }

  /** As they open now. */
  async readings(): Promise<readonly Reading[]> {
    const opener = this.#disk.keys.opener()
    const events = await this.events()
    return events.map((recorded) => new LazyReading(recorded, opener))
  }
}

/** Opened when it is first asked for: most checks read few of the events. */
class LazyReading implements Reading {
  readonly recorded: RecordedEvent
  readonly #opener: Opener
  #event: DecodedEvent | undefined
  #isOpened = false

  constructor(recorded: RecordedEvent, opener: Pick<Opener, 'open'>) {
    this.recorded = recorded
    this.#opener = opener
  }

  get event(): DecodedEvent | undefined {
    if (!this.#isOpened) this.#event = opening(this.recorded, this.#opener)
    this.#isOpened = true
    return this.#event
  }
}

function opening(recorded: RecordedEvent, opener: Opener): DecodedEvent | undefined {
  try {
    const event = opened(recorded, opener)
    // Opened by being asked for.
    return event.data === undefined ? undefined : event
  } catch {
    return undefined
  }
}
