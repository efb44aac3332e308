import assert from 'node:assert/strict'
import type { Clock } from '../clock.ts'
import type { Head } from '../log/log.ts'
import { type ColumnList, columnList, compareText, decodeRow, encodeRow } from '../store/cells.ts'
import type { StoredRow, StoreReader } from '../store/store.ts'
import type { Row, TableShape } from '../store/table.ts'
import type { BuildFold, Grouping } from './build-fold.ts'

/** What `StoreReader.get` answers. */
export type LiveAnswer = Awaited<ReturnType<StoreReader['get']>>

/** A question for the rows of one key, to be answered once `after` is folded. */
export interface LiveRead {
  readonly projections: readonly string[]
  readonly key: string
  readonly after: number
  /** Whoever asks won't wait for longer, ms. */
  readonly withinMs: number
  /** undefined: the projector has stopped, or builds one of these read models just now. */
  readonly answer: (found: LiveAnswer | undefined) => void
}

interface Waiting {
  readonly read: LiveRead
  readonly untilMs: number
}

/** Who belongs together, brought up to date when asked. */
interface Settling {
  readonly grouping: Grouping
  settle(): void
}

/**
 * Reads of single keys from what is folded but not committed yet, as the store will answer them once it is. So a value can
 * be read a few milliseconds after its event, while commits under load gather events for much longer.
 */
export class LiveReads {
  readonly #columns = new WeakMap<TableShape, ColumnList>()
  readonly #identity: Settling
  readonly #clock: Clock
  #waiting: Waiting[] = []
  #isClosed = false

  constructor(identity: Settling, clock: Clock) {
    this.#clock = clock
    this.#identity = identity
  }

  add(read: LiveRead): void {
    if (this.#isClosed) {
      read.answer(undefined)
      return
    }
    const now = this.#clock.monotonicMs()
    // Positions may be asked for that never come.
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter(({ untilMs }) => untilMs > now)
    this.#waiting.push({ read, untilMs: now + read.withinMs })
  }

  /** Somebody waits for an event that the log holds. */
  isAwaited({ position }: Pick<Head, 'position'>): boolean {
    const now = this.#clock.monotonicMs()
    return this.#waiting.some(({ read, untilMs }) => read.after <= position && untilMs > now)
  }

  /** Answers all that wait for nothing beyond `head`. */
  answer(head: Head, folds: readonly BuildFold[]): void {
    if (this.#waiting.length === 0) return
    const ready = this.#waiting.filter(({ read }) => read.after <= head.position)
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter(({ read }) => read.after > head.position)
    this.#identity.settle()
    for (const { read } of ready) read.answer(this.#found(read, head, folds))
  }

  close(): void {
    this.#isClosed = true
    for (const { read } of this.#waiting) read.answer(undefined)
    this.#waiting = []
  }

  #found({ projections, key }: LiveRead, head: Head, folds: readonly BuildFold[]): LiveAnswer | undefined {
    const asked = projections.map((name) => folds.find((each) => each.projection.name === name))
    // Before anything is looked up: what is looked up while builds change would be remembered.
    if (asked.includes(undefined)) return undefined
    const { grouping } = this.#identity
    const profile = grouping.profileOf(key)
    const rows = new Map<string, readonly StoredRow[]>()
    for (const fold of asked) {
      assert(fold !== undefined)
      const rowKey = fold.projection.table.grain === 'profile' ? profile : key
      rows.set(fold.projection.name, this.#rowsOf(fold, rowKey))
    }
    const [only, ...others] = asked
    // As the store does where the answer draws on one build alone.
    const of = only === undefined || others.length > 0 ? {} : { build: only.build }
    return { ...head, ...of, value: { profile, members: grouping.membersOf(profile), rows } }
  }

  /** A row that the store would refuse isn't shown, as it won't be once it is committed. */
  #rowsOf(fold: BuildFold, key: string): readonly StoredRow[] {
    const { table } = fold.projection
    const columns = this.#columns.get(table) ?? columnList(table)
    this.#columns.set(table, columns)
    const rows = [...fold.rowsNow(key, this.#identity.grouping)]
    const shown = rows.map(([part, row]) => ({ key, part, row: asStored(columns, row) }))
    return shown.every(isStorable) ? shown.sort((a, b) => compareText(a.part, b.part)) : []
  }
}

/** undefined: it can't be stored. */
function asStored(columns: ColumnList, row: Row): Row | undefined {
  try {
    return decodeRow(columns, encodeRow(columns, row), 0)
  } catch {
    return undefined
  }
}

function isStorable(shown: {
  readonly key: string
  readonly part: string
  readonly row: Row | undefined
}): shown is StoredRow {
  return shown.row !== undefined
}
