import assert from 'node:assert/strict'
import { Packr } from 'msgpackr'
import type { BuildName, BuildWrite, PoisonEvent, RowWrite, StateWrite, StoreWriter } from '../store/store.ts'
import type { Row } from '../store/table.ts'
import { DueQueue } from './due-queue.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'
import { projectionUnder } from './projection-under.ts'
import { type KeptState, StateMemory } from './state-memory.ts'

const packr = new Packr({ useRecords: false })

/** What a build's fold reads of the store. */
export type StoredStates = Pick<StoreWriter, 'state' | 'due'>

/** The grouping of atoms that a commit writes rows by. */
export interface Grouping {
  profileOf(identity: string): string
  membersOf(profile: string): readonly string[]
}

/** What a commit writes of a build. */
interface Frozen {
  readonly write: BuildWrite
  readonly poison: Iterable<PoisonEvent>
  /** How many states and keys' rows there are to write. */
  readonly size: number
}

/**
 * One build being folded: its states as far as they are in memory, and what the next commit must write. It never
 * writes itself. While a commit is being written, what it writes stays as it was and folding goes on beside it.
 */
export class BuildFold {
  /** Under the build's configuration. */
  readonly projection: AnyProjection
  readonly build: BuildName
  readonly config: Configuration
  readonly #store: StoredStates
  readonly #handles: ReadonlySet<string> | undefined
  readonly #states: StateMemory
  readonly #due: DueQueue | undefined
  #poison: PoisonEvent[] = []
  /** Of the event folded last. */
  #position = 0

  constructor(projection: AnyProjection, build: BuildName, config: Configuration, store: StoredStates) {
    const own = projectionUnder(projection, config)
    this.projection = own
    this.build = build
    this.config = config
    this.#store = store
    this.#states = new StateMemory((key) => this.#stored(key))
    this.#handles = own.handles === 'every' ? undefined : new Set(own.handles)
    if (own.due !== undefined) {
      this.#due = new DueQueue()
      for (const { key, due } of store.due(build, Number.MAX_SAFE_INTEGER)) this.#due.set(key, due)
    }
  }

  /** The same build with nothing in memory but what the store holds. */
  renewed(): BuildFold {
    return new BuildFold(this.projection, this.build, this.config, this.#store)
  }

  /** The same projection and configuration as another build, of which the store holds nothing yet. */
  afresh(build: BuildName): BuildFold {
    return new BuildFold(this.projection, build, this.config, this.#store)
  }

  /** The same build as if no event had touched these keys yet, and as if no other key were ever touched. */
  anew(keys: ReadonlySet<string>): BuildFold {
    const { projection } = this
    const narrowed: AnyProjection = {
      ...projection,
      // It is under a configuration already.
      under: undefined,
      keys: (event) => projection.keys(event).filter((key) => keys.has(key)),
    }
    const others: StoredStates = {
      state: (build, key) => (keys.has(key) ? undefined : this.#store.state(build, key)),
      due: () => [],
    }
    return new BuildFold(narrowed, this.build, this.config, others)
  }

  /** Whether time alone may change its states. */
  get isTimed(): boolean {
    return this.#due !== undefined
  }

  handles(type: string): boolean {
    return this.#handles === undefined || this.#handles.has(type)
  }

  /** The next instant at which time alone would change a state. */
  nextDue(): number | undefined {
    return this.#due?.next()
  }

  /**
   * Lets every deadline up to and including `now` (ms) fall due. It is told the instant of the deadline itself, so that
   * the outcome doesn't depend on which event moved the clock past it.
   */
  tick(now: number): void {
    const { projection } = this
    const queue = this.#due
    if (queue === undefined || queue.isEmpty || projection.tick === undefined) return
    for (let next = queue.take(now); next !== undefined; next = queue.take(now)) {
      const { key, due: at } = next
      try {
        const kept = this.#states.of(key)
        const before = kept.state ?? projection.initial(key)
        const state: unknown = projection.tick(before, { type: 'tick', at })
        const due: number | undefined = projection.due?.(state)
        assert(due === undefined || due > at, `${projection.name}: a tick must move the deadline on`)
        this.#set(kept, state, due)
      } catch (error) {
        this.setAside({ position: this.#position, type: 'tick' }, error)
      }
    }
  }

  /** Folds one event; an event that can't be folded changes nothing and is set aside with the reason. */
  fold(event: DecodedEvent): void {
    this.#position = event.position
    let keys: readonly string[]
    try {
      keys = this.projection.keys(event)
    } catch (error) {
      this.setAside(event, error)
      return
    }
    const [key] = keys
    if (key === undefined) return
    if (keys.length === 1) this.#foldInto(key, event)
    else this.#foldIntoAll(keys, event)
  }

  /** As `#foldIntoAll`: nearly every event is folded into one key. */
  #foldInto(key: string, event: DecodedEvent): void {
    const { projection } = this
    let kept: KeptState
    let after: unknown
    let due: number | undefined
    try {
      kept = this.#states.of(key)
      const before = kept.state ?? projection.initial(key)
      after = projection.reduce(before, event, this.config, key)
      if (after === before) return
      due = projection.due?.(after)
    } catch (error) {
      this.setAside(event, error)
      return
    }
    this.#set(kept, after, due)
  }

  #foldIntoAll(keys: readonly string[], event: DecodedEvent): void {
    const { projection } = this
    let next: (readonly [kept: KeptState, state: unknown, due: number | undefined])[] | undefined
    try {
      for (const key of keys) {
        const kept = this.#states.of(key)
        const before = kept.state ?? projection.initial(key)
        const after = projection.reduce(before, event, this.config, key)
        if (after === before) continue
        next ??= []
        next.push([kept, after, projection.due?.(after)])
      }
    } catch (error) {
      this.setAside(event, error)
      return
    }
    for (const [kept, state, due] of next ?? []) this.#set(kept, state, due)
  }

  /** Notes a poison event: one that can't be opened or folded. */
  setAside(event: PoisonPlace, error: unknown): void {
    this.#poison.push(this.#poisonOf(event, error))
  }

  #poisonOf({ position, type }: PoisonPlace, error: unknown): PoisonEvent {
    return { build: this.build, position, type, reason: reasonOf(error) }
  }

  /**
   * What changed since the last call, as a commit takes it; the commit before must be done. `regrouped` are profiles
   * whose members changed since.
   */
  freeze(grouping: Grouping, regrouped: ReadonlySet<string>): Frozen {
    const states = this.#states.freeze()
    const poison = this.#poison
    const position = this.#position
    const note: Note = (error) => poison.push(this.#poisonOf({ position, type: 'row' }, error))
    this.#poison = []
    const isOfProfiles = this.projection.table.grain === 'profile'
    const profiles = isOfProfiles ? profilesOf(states, grouping, regrouped) : undefined
    const write = {
      build: this.build,
      states: walked(() => this.#stateWrites(states)),
      rows: walked(() =>
        profiles === undefined ? this.#keyRows(states, note) : this.#profileRows(profiles, note),
      ),
    }
    return { write, poison, size: states.length + (profiles?.size ?? states.length) }
  }

  /** Hands over what changed since the last call, and the poison noted since, for whoever makes rows later. */
  drain(put: (write: StateWrite) => void): readonly PoisonEvent[] {
    for (const write of this.#stateWrites(this.#states.freeze())) put(write)
    const poison = this.#poison
    this.#poison = []
    return poison
  }

  /** Rows of keys or profiles by the states that the store holds, of which nothing stays in memory. */
  *storedRows(keys: Iterable<string>, grouping: Grouping, poison: PoisonEvent[]): Generator<RowWrite> {
    const isOfProfiles = this.projection.table.grain === 'profile'
    const note: Note = (error) =>
      poison.push(this.#poisonOf({ position: this.#position, type: 'row' }, error))
    for (const key of keys) {
      const members = isOfProfiles ? membersOf(key, grouping) : [key]
      const joined = this.#joined(members, (member) => this.#stored(member))
      yield { key, rows: joined === undefined ? NO_ROWS : this.#rowsOf(key, joined, note) }
    }
  }

  #stored(key: string): unknown {
    const bytes = this.#store.state(this.build, key)
    return bytes === undefined ? undefined : packr.unpack(bytes)
  }

  /** The rows of a key, or a profile, by all that is folded: what a commit made now would come to. */
  rowsNow(key: string, grouping: Grouping): ReadonlyMap<string, Row> {
    const isOfProfiles = this.projection.table.grain === 'profile'
    const state = isOfProfiles
      ? this.#joined(grouping.membersOf(grouping.profileOf(key)), (member) => this.#states.of(member).state)
      : this.#states.of(key).state
    return state === undefined ? NO_ROWS : this.#rowsOf(key, state, () => undefined)
  }

  *#stateWrites(states: readonly KeptState[]): Generator<StateWrite> {
    for (const { key, frozen } of states) {
      // Shares its memory with others, but not its bytes.
      yield { key, state: packr.pack(frozen), due: this.projection.due?.(frozen) }
    }
  }

  *#keyRows(states: readonly KeptState[], note: Note): Generator<RowWrite> {
    for (const { key, frozen } of states) yield { key, rows: this.#rowsOf(key, frozen, note) }
  }

  *#profileRows(profiles: ReadonlyMap<string, readonly string[]>, note: Note): Generator<RowWrite> {
    for (const [profile, members] of profiles) {
      const joined = this.#joined(members, (member) => this.#states.frozen(member))
      yield { key: profile, rows: joined === undefined ? NO_ROWS : this.#rowsOf(profile, joined, note) }
    }
  }

  #joined(members: readonly string[], stateOf: (member: string) => unknown): unknown {
    let joined: unknown
    for (const member of members) {
      const state = stateOf(member)
      if (state === undefined) continue
      joined = joined === undefined ? state : this.projection.join(joined, state, this.config)
    }
    return joined
  }

  /** A state that has no rows to show is kept, shows none, and is noted: the next event may mend it. */
  #rowsOf(key: string, state: unknown, note: Note): ReadonlyMap<string, Row> {
    try {
      return this.projection.table.rows(state, this.config, key)
    } catch (error) {
      note(error)
      return NO_ROWS
    }
  }

  #set(kept: KeptState, state: unknown, due: number | undefined): void {
    this.#states.set(kept, state)
    this.#due?.set(kept.key, due)
  }
}

const NO_ROWS: ReadonlyMap<string, Row> = new Map()

type PoisonPlace = Pick<PoisonEvent, 'position' | 'type'>
type Note = (error: unknown) => void

/** What several folds changed, as one commit takes it. */
export function freezeAll(
  folds: readonly BuildFold[],
  grouping: Grouping,
  regrouped: ReadonlySet<string>,
): { readonly writes: readonly BuildWrite[]; readonly poison: Iterable<PoisonEvent>; readonly size: number } {
  const frozen = folds.map((fold) => fold.freeze(grouping, regrouped))
  return {
    writes: frozen.map(({ write }) => write),
    poison: walked(function* () {
      for (const { poison } of frozen) yield* poison
    }),
    size: frozen.reduce((sum, { size }) => sum + size, 0),
  }
}

/** What can be walked again and again. */
function walked<T>(walk: () => Iterator<T>): Iterable<T> {
  return { [Symbol.iterator]: walk }
}

/** The profiles that these atoms belong to, and others, with their members. */
function profilesOf(
  atoms: readonly KeptState[],
  grouping: Grouping,
  regrouped: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const profiles = new Set(regrouped)
  for (const { key } of atoms) profiles.add(grouping.profileOf(key))
  const members = new Map<string, readonly string[]>()
  for (const profile of profiles) members.set(profile, membersOf(profile, grouping))
  return members
}

/** A profile that was merged away belongs to another now: its rows go. */
function membersOf(profile: string, grouping: Grouping): readonly string[] {
  return grouping.profileOf(profile) === profile ? grouping.membersOf(profile) : []
}

/** The kind of error and the line that threw it; never its message, which may quote personal data. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'threw a value that is no Error'
  const line = /\n\s+at ([^\n]*)/.exec(error.stack ?? '')?.[1] ?? ''
  return `${error.name} ${/[^/\\]+\.[tj]s:\d+/.exec(line)?.[0] ?? ''}`.trim()
}
