import type { LogReader } from '../../engine/log/log.ts'
import type { Delivery } from '../simulator/noise.ts'
import type { Fate } from '../simulator/sender.ts'

/** What the check of a log against a ledger counted. */
export interface Count {
  /** Events that the engine acknowledged, each once. */
  readonly acknowledged: number
  /** Those of them that stand in the log, at the position that the acknowledgement named. */
  readonly inLog: number
  /** Places in the log that repeat an acknowledged event. */
  readonly repeated: number
}

export function isEqual({ acknowledged, inLog, repeated }: Count): boolean {
  return acknowledged === inLog && repeated === 0
}

/** Every acknowledgement that was ever received, to be held against the log. */
export class Ledger {
  readonly #positions = new Map<string, number>()
  /** Where the log tells of those that were refused and kept. */
  readonly #quarantined = new Set<number>()
  #duplicates = 0
  #last = 0

  note({ source, id }: Pick<Delivery, 'source' | 'id'>, { status, position }: Fate): void {
    this.#last = Math.max(this.#last, position)
    switch (status) {
      case 'appended':
        this.#positions.set(keyOf(source, id), position)
        return
      case 'duplicate':
        this.#duplicates += 1
        this.#positions.set(keyOf(source, id), position)
        return
      case 'quarantined':
        this.#quarantined.add(position)
        return
      case 'refused':
        return
    }
  }

  get acknowledged(): number {
    return this.#positions.size + this.#quarantined.size
  }

  get duplicates(): number {
    return this.#duplicates
  }

  get quarantined(): number {
    return this.#quarantined.size
  }

  /** Greatest position that any acknowledgement named. */
  get last(): number {
    return this.#last
  }

  /** Reads the whole log and looks for each of them. What is acknowledged meanwhile is not counted. */
  async countIn(log: Pick<LogReader, 'read'>): Promise<Count> {
    const positions = new Map(this.#positions)
    const quarantined = new Set(this.#quarantined)
    const acknowledged = positions.size + quarantined.size
    let inLog = 0
    let repeated = 0
    for await (const batch of log.read()) {
      for (const { position, source, id, type } of batch) {
        if (type === 'event.quarantined') inLog += quarantined.has(position) ? 1 : 0
        const expected = positions.get(keyOf(source, id))
        if (expected === position) inLog += 1
        else if (expected !== undefined) repeated += 1
      }
    }
    return { acknowledged, inLog, repeated }
  }
}

function keyOf(source: string, id: string): string {
  return `${source}\n${id}`
}
