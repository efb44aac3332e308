import type { Log } from '../log/log.ts'

/**
 * Sources whose registration stands where the log is damaged: their default country, time zone and currency aren't known,
 * so what they send can't be normalised, until they are registered again.
 */
export class LostSources {
  readonly #log: Pick<Log, 'streamHead'>
  readonly #ranges: { readonly from: number; readonly until: number }[] = []
  /** Registered after the last of the damages. */
  readonly #known = new Set<string>()

  constructor(log: Pick<Log, 'streamHead'>) {
    this.#log = log
  }

  /** Positions `from` to `until`, exclusive, can't be read; those before were read, those behind are read next. */
  lose(from: number, until: number): void {
    this.#ranges.push({ from, until })
    this.#known.clear()
  }

  registered(source: string): void {
    if (this.#ranges.length > 0) this.#known.add(source)
  }

  has(source: string): boolean {
    if (this.#ranges.length === 0 || this.#known.has(source)) return false
    const last = this.#lastRegistration(source)
    if (last === undefined) return false
    return this.#ranges.some(({ from, until }) => from <= last && last < until)
  }

  /** Its position, which the log's index knows without the event. */
  #lastRegistration(source: string): number | undefined {
    return this.#log.streamHead(`source-${source}`)?.position
  }
}
