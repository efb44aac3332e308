import type { RecordedEvent } from '../events/event.ts'
import type { Head, LogReader } from '../log/log.ts'
import type { BuildWrite, PoisonEvent, RowWrite, StateWrite } from '../store/store.ts'
import type { Row } from '../store/table.ts'
import type { BuildFold, Grouping } from './build-fold.ts'
import type { DecodedEvent } from './projection.ts'
import { Routes } from './routes.ts'

interface Refolding {
  readonly log: LogReader
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly grouping: Grouping
  /** How far the folds have got. */
  readonly until: Head
  readonly signal: AbortSignal
}

/** What a commit writes in place of what the folds' keys held. */
interface Refolded {
  readonly writes: readonly BuildWrite[]
  readonly poison: readonly PoisonEvent[]
  /** How many states are folded anew. */
  readonly keys: number
}

type Touched = ReadonlyMap<BuildFold, ReadonlySet<string>>

/**
 * Folds the keys that events at these positions touch anew, from the log's beginning and by what of it can still be
 * opened: once keys are destroyed, nothing of what they sealed stays in a state or row. One pass over the log, of the types
 * that these builds handle. undefined: aborted on the way.
 *
 * Rests on this: the keys that an event touches don't depend on its personal parts, so that they are the same with
 * and without them. A projection that counts by the envelope alone has nothing to forget.
 */
export async function refold(
  folds: readonly BuildFold[],
  positions: readonly number[],
  refolding: Refolding,
): Promise<Refolded | undefined> {
  const touched = await touchedBy(folds, positions, refolding)
  if (touched === undefined) return undefined
  const anew = new Map(Array.from(touched, ([fold, keys]) => [fold.anew(keys), keys]))
  if (!(await foldHistory([...anew.keys()], refolding))) return undefined
  const writes: BuildWrite[] = []
  const poison: PoisonEvent[] = []
  let count = 0
  for (const [fold, keys] of anew) {
    const frozen = frozenOf(fold, keys, refolding.grouping)
    writes.push(frozen.write)
    // Walked, so that rows that can't be made are among the poison.
    for (const _ of frozen.write.rows);
    poison.push(...frozen.poison)
    count += keys.size
  }
  return { writes, poison, keys: count }
}

/**
 * Those of the folds that events at these positions may have touched while nobody can tell where any more, because their keys
 * stand in parts that may be gone.
 */
export async function hidingKeys(
  log: Pick<LogReader, 'at'>,
  folds: readonly BuildFold[],
  positions: readonly number[],
): Promise<readonly BuildFold[]> {
  const mayHide = folds.filter(({ projection }) => projection.hidesKeys !== undefined)
  if (mayHide.length === 0) return []
  const types = new Set<string>()
  for (const position of positions) {
    const recorded = await log.at(position)
    if (recorded !== undefined) types.add(recorded.type)
  }
  return mayHide.filter((fold) =>
    [...types].some((type) => fold.handles(type) && fold.projection.hidesKeys?.(type) === true),
  )
}

async function touchedBy(
  folds: readonly BuildFold[],
  positions: readonly number[],
  { log, open, until, signal }: Refolding,
): Promise<Touched | undefined> {
  const touched = new Map<BuildFold, Set<string>>()
  const reading = folds.filter(({ projection }) => projection.handles !== 'every')
  for (const position of positions) {
    if (signal.aborted) return undefined
    const recorded = position <= until.position ? await log.at(position) : undefined
    if (recorded === undefined) continue
    const event = openedOrNone(recorded, open)
    if (event === undefined) continue
    for (const fold of reading) {
      if (!fold.handles(recorded.type)) continue
      const keys = touched.get(fold) ?? new Set()
      for (const key of keysOf(fold, event)) keys.add(key)
      if (keys.size > 0) touched.set(fold, keys)
    }
  }
  return touched
}

/** An event that can't be opened or read has touched nothing, with its personal parts or without. */
function openedOrNone(recorded: RecordedEvent, open: Refolding['open']): DecodedEvent | undefined {
  try {
    return open(recorded)
  } catch {
    return undefined
  }
}

function keysOf({ projection }: BuildFold, event: DecodedEvent): readonly string[] {
  try {
    return projection.keys(event)
  } catch {
    return []
  }
}

/** False: aborted on the way. */
async function foldHistory(
  folds: readonly BuildFold[],
  { log, open, until, signal }: Refolding,
): Promise<boolean> {
  if (folds.length === 0) return true
  const routes = new Routes(folds)
  const types = new Set(folds.flatMap(({ projection }) => projection.handles))
  for await (const batch of log.read({ types })) {
    if (signal.aborted) return false
    for (const recorded of batch) if (recorded.position <= until.position) routes.fold(recorded, open)
    if ((batch.at(-1)?.position ?? 0) >= until.position) break
  }
  // Deadlines that passed after the last of these events.
  for (const fold of folds) fold.tick(until.received)
  return true
}

function frozenOf(fold: BuildFold, keys: ReadonlySet<string>, grouping: Grouping) {
  const isOfProfiles = fold.projection.table.grain === 'profile'
  const profiles = isOfProfiles ? Array.from(keys, (key) => grouping.profileOf(key)) : []
  const { write, poison } = fold.freeze(grouping, new Set(profiles))
  const gone = new Set(keys)
  for (const { key } of write.states) gone.delete(key)
  const states: StateWrite[] = Array.from(gone, (key) => ({ key, state: undefined }))
  const rows: RowWrite[] = isOfProfiles ? [] : Array.from(gone, (key) => ({ key, rows: NO_ROWS }))
  const whole: BuildWrite = {
    build: write.build,
    states: chained(write.states, states),
    rows: chained(write.rows, rows),
  }
  return { write: whole, poison }
}

const NO_ROWS: ReadonlyMap<string, Row> = new Map()

function chained<T>(first: Iterable<T>, second: Iterable<T>): Iterable<T> {
  return {
    *[Symbol.iterator]() {
      yield* first
      yield* second
    },
  }
}
