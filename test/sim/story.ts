import { Trace } from './trace.ts'

/** What has happened in a run. */
export class Story {
  readonly trace = new Trace()
  /** What, and how often. */
  readonly seen = new Map<string, number>()

  readonly note = (what: string, detail: string | number = ''): void => {
    this.trace.note(`${what} ${detail}`)
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }
}
