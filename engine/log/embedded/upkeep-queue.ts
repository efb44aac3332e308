import { AssertionError } from 'node:assert/strict'
import { isDiskError } from './files.ts'
import { IndexDamaged } from './index/index-file.ts'
import type { IndexSet } from './index/index-set.ts'
import type { KeyRun } from './index/key-run.ts'
import type { LogIndex } from './index/log-index.ts'
import type { UpkeepOrder, UpkeepReport } from './upkeep.ts'
import { Pause } from './upkeep-pause.ts'
import type { StartUpkeep, UpkeepSide } from './upkeep-side.ts'

/** So many neighbouring runs of one level become one of the next. */
const MERGED_RUNS = 4

interface ToIndex {
  readonly first: number
  readonly last: number
  /** It has files, one of which is damaged. */
  readonly anew: boolean
}

type UrgentOrder = Exclude<UpkeepOrder, { readonly kind: 'merge' }>

export interface UpkeepQueueOptions {
  readonly index: LogIndex
  readonly set: IndexSet
  readonly start: StartUpkeep
  readonly compress: boolean
  readonly onNotice: (message: string) => void
  /** Told when more segments than is good wait for their index files, each of which memory serves; and when no longer. */
  readonly onBehind: (behind: boolean) => void
  /** Told when a segment's plain file may be gone. */
  readonly onCompressed: () => void
}

/** Segments that may wait for their index files before upkeep is as urgent as everything else. */
const PATIENT_SEGMENTS = 2
/** And before whoever appends waits for it, unless it is failing. */
const MOST_SEGMENTS = 8

/**
 * What is to be done for sealed segments, in their order: first the index files, then compression; and runs of keys are
 * merged beside. What fails is tried again after a pause, unless the log is damaged there; until then memory serves.
 */
export class UpkeepQueue {
  readonly #options: UpkeepQueueOptions
  readonly #side: UpkeepSide
  readonly #toIndex: ToIndex[] = []
  readonly #toCompress: number[] = []
  readonly #pause = new Pause(() => this.#next())
  readonly #mergePause = new Pause(() => this.#next())
  #busy: UrgentOrder | undefined
  #merging = false
  /** Compression, which makes room, has its turn after an index that failed. */
  #compressFirst = false
  #behind = false
  #told = ''

  constructor(options: UpkeepQueueOptions) {
    this.#options = options
    this.#side = options.start((report) => this.#onReport(report))
    options.index.rebuildBy((run) => this.#rebuild(run))
  }

  /** Segments that wait for their index or compression. */
  get waiting(): number {
    return this.#toIndex.length + this.#toCompress.length + (this.#busy === undefined ? 0 : 1)
  }

  /** Sealed and indexed, not looked after yet since the start. */
  compress(firsts: readonly number[]): void {
    if (this.#options.compress) this.#toCompress.push(...firsts)
    this.#next()
  }

  sealed(segment: { readonly first: number; readonly last: number }): void {
    this.#toIndex.push({ ...segment, anew: false })
    this.#next()
  }

  /** Before everything else: look-ups wait for it. */
  #rebuild({ covers }: KeyRun): void {
    this.#toIndex.unshift(...covers.map(({ first, last }) => ({ first, last, anew: true })))
    this.#next()
  }

  #next(): void {
    if (this.#busy === undefined && !this.#pause.lasts) {
      this.#busy = this.#nextOrder()
      if (this.#busy !== undefined) this.#side.send(this.#busy)
    }
    this.#tellBehind()
    if (this.#merging || this.#mergePause.lasts) return
    const runs = mergeable(this.#options.set.runs, this.#options.set.ailing)
    this.#merging = runs !== undefined
    if (runs !== undefined) this.#side.send({ kind: 'merge', runs: runs.map(({ name }) => name) })
  }

  #tellBehind(): void {
    const inMemory = this.#toIndex.reduce((sum, { anew }) => sum + (anew ? 0 : 1), 0)
    this.#side.hurry(inMemory > PATIENT_SEGMENTS || inMemory < this.#toIndex.length)
    const behind = inMemory > MOST_SEGMENTS && !this.#pause.failing
    if (behind !== this.#behind) this.#options.onBehind(behind)
    this.#behind = behind
  }

  #nextOrder(): UrgentOrder | undefined {
    const compressFirst = this.#compressFirst && this.#toCompress.length > 0
    this.#compressFirst = false
    const segment = compressFirst ? undefined : this.#toIndex.shift()
    if (segment !== undefined) return { kind: 'index', ...segment }
    const first = this.#toCompress.shift()
    return first === undefined ? undefined : { kind: 'compress', first }
  }

  #onReport(report: UpkeepReport): void {
    try {
      this.#take(report)
    } catch (error) {
      if (!(error instanceof IndexDamaged) && !isDiskError(error)) throw error
      this.#notice(`upkeep of the log: ${error.message}`)
    }
    this.#next()
  }

  #take(report: UpkeepReport): void {
    const { set, index, compress } = this.#options
    switch (report.kind) {
      case 'indexed':
        this.#busy = undefined
        this.#pause.succeeded()
        set.useSegment(report.first, report.filters)
        set.useKeys(report, report.filters)
        index.forget(report.first)
        if (compress && !this.#toCompress.includes(report.first)) this.#toCompress.push(report.first)
        break
      case 'compressed':
        this.#busy = undefined
        this.#pause.succeeded()
        this.#tellCompressed()
        break
      case 'merged':
        this.#merging = false
        this.#mergePause.succeeded()
        this.#takeMerged(report)
        break
      case 'failed':
        this.#takeFailed(report)
        break
    }
  }

  /** What fails here only costs room on the disk, until the next segment is compressed. */
  #tellCompressed(): void {
    try {
      this.#options.onCompressed()
    } catch (error) {
      if (error instanceof AssertionError) throw error
      this.#notice(`upkeep of the log (compress): ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #takeFailed({ order, cause, damaged, again }: Extract<UpkeepReport, { readonly kind: 'failed' }>): void {
    if (order.kind === 'merge') this.#merging = false
    else this.#busy = undefined
    if (damaged !== undefined) {
      this.#options.index.replace(damaged, cause)
      return
    }
    this.#notice(`upkeep of the log (${order.kind}): ${cause}`)
    switch (order.kind) {
      case 'merge':
        this.#mergePause.failed()
        break
      case 'index':
        if (!again) break
        this.#toIndex.unshift({ first: order.first, last: order.last, anew: order.anew })
        this.#compressFirst = true
        this.#pause.failed()
        break
      case 'compress':
        if (!again) break
        this.#toCompress.push(order.first)
        this.#pause.failed()
        break
    }
  }

  /** Once, though it is tried again and again. */
  #notice(message: string): void {
    if (message !== this.#told) this.#options.onNotice(message)
    this.#told = message
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
    this.#pause.close()
    this.#mergePause.close()
    return this.#side.close()
  }
}

/** The oldest neighbours of one level that are enough of them. */
function mergeable(runs: readonly KeyRun[], ailing: ReadonlySet<KeyRun>): readonly KeyRun[] | undefined {
  for (let i = 0; i + MERGED_RUNS <= runs.length; i++) {
    const some = runs.slice(i, i + MERGED_RUNS)
    const together = some.every((run, at) => at === 0 || some[at - 1]?.last === run.covers[0]?.previous)
    if (!together || some.some((run) => ailing.has(run))) continue
    if (some.every(({ level }) => level === some[0]?.level)) return some
  }
  return undefined
}
