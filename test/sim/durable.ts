import type { RecordedEvent } from '../../engine/events/event.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { toPlain } from '../../engine/log/recorded.ts'
import type { Opener } from '../../engine/privacy/privacy.ts'
import type { DecodedEvent } from '../../engine/projector/projection.ts'
import type { Disk } from './disk.ts'
import { opened } from './life.ts'
import type { Reading } from './oracle.ts'

/** What the disk holds of the log, whoever has heard of it. */
export class DurableLog {
  readonly #disk: Disk
  #events: Promise<readonly RecordedEvent[]> = Promise.resolve([])
  /** As they were when `#events` was asked for. */
  #blocks: Disk['blocks'] = []

  constructor(disk: Disk) {
    this.#disk = disk
  }

  events(): Promise<readonly RecordedEvent[]> {
    const { blocks } = this.#disk
    const isRead = blocks.length === this.#blocks.length && blocks.at(-1) === this.#blocks.at(-1)
    if (!isRead) {
      this.#blocks = [...blocks]
      this.#events = read(this.#blocks)
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

async function read(blocks: Disk['blocks']): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  const log = createMemoryLog()
  for (const block of blocks) await log.append(block)
  for await (const batch of log.read()) events.push(...batch.map(toPlain))
  return events
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
