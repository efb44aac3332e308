import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Log, LogReader } from '../../engine/log/log.ts'
import { toPlain } from '../../engine/log/recorded.ts'
import type { Fault } from '../faults/fake-disk.ts'
import type { Process } from './process.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

export interface LogParts {
  readonly process: Process
  readonly timeline: Timeline
  readonly random: Random
  /** Whether the disk has no room just now. */
  readonly isFull: () => boolean
}

/** What outlives a process of the log. */
export interface LogDisk {
  /** The log as one process's; what is under way when that ends may be lost. */
  open(parts: LogParts): Promise<Log>
  /** What the next process would find. */
  events(): Promise<readonly RecordedEvent[]>
  /** Changes where `events` may have. */
  readonly version: number
  /** The operation so many away fails, or what it was to make durable is lost; nothing where there are no operations. */
  strike(operations: number, fault: Fault): void
}

/** Now and then a disk is slow. */
export function writeMs(random: Random): number {
  return random.percent(15) ? random.between(50, 400) : random.between(1, 25)
}

export async function allOf(log: Pick<LogReader, 'read'>): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const batch of log.read()) events.push(...batch.map(toPlain))
  return events
}
