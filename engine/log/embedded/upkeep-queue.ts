import { isDiskError } from './files.ts'
import { IndexDamaged } from './index/index-file.ts'
import type { IndexSet } from './index/index-set.ts'
import type { KeyRun } from './index/key-run.ts'
import type { LogIndex } from './index/log-index.ts'
import type { UpkeepOrder, UpkeepReport } from './upkeep.ts'
import type { StartUpkeep, UpkeepSide } from './upkeep-side.ts'

/** So many neighbouring runs of one level become one of the next. */
const MERGED_RUNS = 4

interface UpkeepQueueOptions {
  readonly index: LogIndex
  readonly set: IndexSet
  readonly start: StartUpkeep
  readonly compress: boolean
  readonly onNotice: (message: string) => void
}

/**
 * What is to be done for sealed segments, in their order: first the index files, then compression; and runs of keys are
 * merged beside. What fails is left to the next start, and until then memory serves.
 */
export class UpkeepQueue {
  readonly #options: UpkeepQueueOptions
  readonly #side: UpkeepSide
  readonly #toIndex: { readonly first: number; readonly last: number }[] = []
  readonly #toCompress: number[] = []
  #busy = false
  #merging = false
  #mergeFailed = false

  constructor(options: UpkeepQueueOptions) {
    this.#options = options
    this.#side = options.start((report) => this.#onReport(report))
  }

  /** Segments that wait for their index or compression. */
  get waiting(): number {
    return this.#toIndex.length + this.#toCompress.length + (this.#busy ? 1 : 0)
  }

  /** Sealed and indexed, not looked after yet since the start. */
  compress(firsts: readonly number[]): void {
    if (this.#options.compress) this.#toCompress.push(...firsts)
    this.#next()
  }

  sealed(segment: { readonly first: number; readonly last: number }): void {
    this.#toIndex.push(segment)
    this.#next()
  }

  #next(): void {
    if (!this.#busy) {
      const order = this.#nextOrder()
      this.#busy = order !== undefined
      if (order !== undefined) this.#side.send(order)
    }
    if (this.#merging || this.#mergeFailed) return
    const runs = mergeable(this.#options.set.runs)
    this.#merging = runs !== undefined
    if (runs !== undefined) this.#side.send({ kind: 'merge', runs: runs.map(({ name }) => name) })
  }

  #nextOrder(): UpkeepOrder | undefined {
    const segment = this.#toIndex.shift()
    if (segment !== undefined) return { kind: 'index', ...segment }
    const first = this.#toCompress.shift()
    return first === undefined ? undefined : { kind: 'compress', first }
  }

  #onReport(report: UpkeepReport): void {
    try {
      this.#take(report)
    } catch (error) {
      if (!(error instanceof IndexDamaged) && !isDiskError(error)) throw error
      this.#options.onNotice(`upkeep of the log: ${error.message}`)
    }
    this.#next()
  }

  #take(report: UpkeepReport): void {
    const { set, index, compress, onNotice } = this.#options
    switch (report.kind) {
      case 'indexed':
        this.#busy = false
        this.#mergeFailed = false
        set.useSegment(report.first, report.filters)
        if (set.runOf(report.first) === undefined) set.useRun(report, report.filters)
        index.forget(report.first)
        if (compress) this.#toCompress.push(report.first)
        break
      case 'compressed':
        this.#busy = false
        break
      case 'merged':
        this.#merging = false
        this.#takeMerged(report)
        break
      case 'failed':
        if (report.order.kind === 'merge') {
          this.#merging = false
          // Tried again with the next segment.
          this.#mergeFailed = report.damaged === undefined
        } else this.#busy = false
        if (report.damaged === undefined)
          onNotice(`upkeep of the log (${report.order.kind}): ${report.cause}`)
        else index.replace(report.damaged, report.cause)
        break
    }
  }

  #takeMerged({ runs, filters }: Extract<UpkeepReport, { readonly kind: 'merged' }>): void {
    const { set, index } = this.#options
    const replaced = set.runs.filter(({ name }) => runs.includes(name))
    const [first, last] = [replaced[0], replaced.at(-1)]
    // One that was replaced meanwhile was damaged: what was merged isn't used, and removed at the next start.
    if (replaced.length < runs.length || first === undefined || last === undefined) return
    set.useRun({ first: first.first, last: last.last }, filters, replaced)
    index.changed()
  }

  close(): Promise<void> {
    return this.#side.close()
  }
}

/** The oldest neighbours of one level that are enough of them. */
function mergeable(runs: readonly KeyRun[]): readonly KeyRun[] | undefined {
  for (let i = 0; i + MERGED_RUNS <= runs.length; i++) {
    const some = runs.slice(i, i + MERGED_RUNS)
    const together = some.every((run, at) => at === 0 || some[at - 1]?.last === run.covers[0]?.previous)
    if (together && some.every(({ level }) => level === some[0]?.level)) return some
  }
  return undefined
}
