import type { StoreSnapshot } from './snapshot.ts'
import type { CellValue, Row, TableShape } from './table.ts'

/** A read model's build: `name__v<version>_<hash of configuration>`; tables carry this name. */
export type BuildName = string

/** What one key's fold came to: its state, and its rows where the grain isn't `profile`. */
export interface StateWrite {
  readonly key: string
  /** MessagePack bytes of the state; undefined: the key has none any more. */
  readonly state: Uint8Array | undefined
  /** When time alone would change it (ms). */
  readonly due?: number | undefined
}

/** The rows of a key; parts that are not named any more are deleted. */
export interface RowWrite {
  readonly key: string
  readonly rows: ReadonlyMap<string, Row>
}

/** What a commit writes of one build. Walking it is what makes it, and making it twice gives the same. */
export interface BuildWrite {
  readonly build: BuildName
  readonly states: Iterable<StateWrite>
  readonly rows: Iterable<RowWrite>
  /**
   * What is written isn't there yet: keys without a state get theirs, keys without rows get theirs, each once, in order;
   * nothing is looked up. From the first such write on until its checkpoint moves, the build may be without its indexes;
   * it must not serve.
   */
  readonly areNew?: boolean | undefined
}

export interface PoisonEvent {
  readonly build: BuildName
  readonly position: number
  readonly type: string
  readonly reason: string
}

/** Where builds stand. `serving` builds are those that queries by the projection's name reach. */
export interface BuildStatus {
  readonly projection: string
  readonly build: BuildName
  readonly version: number
  readonly configuration: string
  readonly serving: boolean
  /** Folded up to and including this position. */
  readonly position: number
}

/** A description of one table, as the writer creates it and queries check names against it. */
export interface TableSpec {
  readonly projection: string
  readonly build: BuildName
  readonly version: number
  readonly configuration: string
  readonly table: TableShape
}

/** What a reader is told of a projection: queries may name these projections and columns and no others. */
export interface ReadSpec extends Pick<TableSpec, 'projection' | 'table'> {
  /** A workspace adds columns of its own: what else the serving build has may be named too. */
  readonly isExtensible?: boolean | undefined
  /** The version whose states whoever asks understands; those of another aren't served. Absent: of any. */
  readonly statesOf?: number | undefined
}

/** Everything that one projector batch changes: committed whole or not at all. */
export interface Commit {
  /** Builds whose checkpoint moves to `position`. */
  readonly builds: readonly BuildName[]
  readonly position: number
  /** `received` at `position`. */
  readonly received: number
  /**
   * A short text that tells which event stands at `position`, to be compared with the log's: read models of another
   * log, or of more than a restored log holds, are found out by it.
   */
  readonly mark: string
  readonly writes: readonly BuildWrite[]
  /** Walked after `writes`: making rows may find some. */
  readonly poison: Iterable<PoisonEvent>
  /** Identity id → profile id, for those that changed. */
  readonly members: ReadonlyMap<string, string>
  /**
   * Link and cut evidence (MessagePack bytes), under each identity that it names, in place of what its id held: a later cut
   * or an earlier link of the same pair replaces the one before.
   */
  readonly evidence: readonly {
    readonly id: string
    readonly identities: readonly string[]
    readonly bytes: Uint8Array
    /** It is listed by `review` until it is written without. */
    readonly refused?: boolean | undefined
  }[]
}

/** How far a store has got. `received` and `mark` are those of the commit that reached `position`. */
export interface Checkpoint {
  readonly position: number
  readonly received: number
  readonly mark: string
}

/**
 * Read models of one workspace, as the projector writes them. One writer. Synchronous on purpose: it runs on the
 * projector's own thread and a batch is one transaction.
 *
 * A call that throws, for want of room on the disk say, has changed nothing, and the writer stays usable: the same
 * call may be made again.
 */
export interface StoreWriter {
  /**
   * How far the serving builds have got; 0 with mark '' on a new store. A commit of a smaller position doesn't move
   * it.
   */
  checkpoint(): Checkpoint
  builds(): readonly BuildStatus[]
  /** Creates a build's tables, empty, at position 0, not serving. A build of that name must not exist. */
  createBuild(spec: TableSpec): void
  /**
   * Makes it the one that its projection's queries reach, and drops the others of that projection but `kept`; atomic.
   */
  serve(build: BuildName, kept?: readonly BuildName[]): void
  dropBuild(build: BuildName): void
  state(build: BuildName, key: string): Uint8Array | undefined
  /** Those that have a state, sorted, behind `after`; undefined begins. Not while a commit is under way. */
  keys(build: BuildName, after: string | undefined, limit: number): readonly string[]
  /** All keys that fall due at or before `at`, earliest first. */
  due(build: BuildName, at: number): readonly { readonly key: string; readonly due: number }[]
  nextDue(): number | undefined
  /** The profile that an identity belongs to; undefined: it stands alone and its profile has its own id. */
  profileOf(identity: string): string | undefined
  /** Sorted; the profile's own id is always among them. */
  membersOf(profile: string): readonly string[]
  /** Evidence that names this identity, in no particular order. */
  evidenceOf(identity: string): readonly { readonly id: string; readonly bytes: Uint8Array }[]
  /** Those that evidence names, sorted, behind `after`; '' begins. Not while a commit is under way. */
  named(after: string, limit: number): readonly string[]
  commit(commit: Commit): void
  /**
   * The same in small steps, for a thread that has other things to do between them. It is committed when the walk has
   * ended, and whoever gives it up has changed nothing. Membership and evidence are written in the first step. Until the end
   * only the calls that read may be made; they find what the steps so far have written.
   */
  commitInSteps(commit: Commit): Generator<void, void>
  /**
   * Drops every build, membership, evidence, poison and the checkpoint, as one transaction: as a new store. Readers
   * go on; they must be told of the smaller position.
   */
  reset(): void
  /**
   * Overwrites what deleted and replaced rows have left in files, as an erasure must, and forgets what is kept of them in
   * memory. False if a reader still looked at an older snapshot: call again.
   */
  purge(): boolean
  /** What is committed so far, to be read whole. */
  snapshot(): StoreSnapshot
  close(): void
}

export type FilterOperator = 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte' | 'in' | 'null'

/**
 * A condition on a column, or on `key` or `part`. Values may be those of a row, or their text as it stands in a URL:
 * integers in decimal, `true`, instants in RFC 3339. For a `money` column a number is in ten-thousandths, a text in
 * units (`12.50`).
 *
 * `ne` is the complement of `eq`, so that it matches null too; `lt`, `lte`, `gt`, `gte` and `in` never match null.
 * `in` takes a list. `null` takes true (is null) or false (isn't), and is all that a `json` column understands.
 * An `identity` column, and the `key` of grain `profile`, understands `eq`, `ne`, `in` and `null`: the id of a profile or of any
 * member matches whatever is about one of that profile's members.
 */
export interface Filter {
  readonly column: string
  readonly operator: FilterOperator
  readonly value: CellValue
}

export interface ListQuery {
  readonly projection: string
  readonly filters?: readonly Filter[] | undefined
  /**
   * Words; a row is found when each of them stands somewhere in its search columns, inside of a word too. Case and
   * accents don't matter. No words: no restriction.
   */
  readonly search?: string | undefined
  /**
   * Null is less than every value. Ties are broken by `key`, then `part`, in the direction of the last column named;
   * texts are compared by code point.
   */
  readonly sort?: readonly { readonly column: string; readonly descending: boolean }[] | undefined
  readonly limit: number
  /** Opaque, from a previous answer of the same query. */
  readonly cursor?: string | undefined
}

/**
 * Answers one row a group, in ascending order of the groups: a whole column under its own name, a month (`2011-12`)
 * or year (`2011`) under `<column>_month` or `<column>_year`, figures under the names given. Identities are grouped and
 * counted as the profiles that they belong to. Without `by` there is exactly one row. Null is not counted or summed; the
 * sum, least and greatest of nothing is null.
 */
export interface AggregateQuery {
  readonly projection: string
  readonly filters?: readonly Filter[] | undefined
  /** Columns, or the calendar month or year of a `day` column. */
  readonly by: readonly { readonly column: string; readonly of?: 'month' | 'year' | undefined }[]
  readonly figures: readonly {
    readonly name: string
    readonly of: 'count' | 'sum' | 'count_distinct' | 'min' | 'max'
    readonly column?: string | undefined
  }[]
  readonly limit: number
}

export type StoreFailure =
  | { readonly _tag: 'UnknownProjection'; readonly projection: string }
  | { readonly _tag: 'UnknownColumn'; readonly column: string; readonly known: readonly string[] }
  | { readonly _tag: 'BadFilter'; readonly column: string; readonly why: string }
  | { readonly _tag: 'BadCursor'; readonly why: string }
  | { readonly _tag: 'NotSearchable'; readonly projection: string }
  /** A limit, sort or figure that makes no sense. */
  | { readonly _tag: 'BadQuery'; readonly why: string }
  /** Known, but no build of it serves yet. */
  | { readonly _tag: 'NotServing'; readonly projection: string }
  /** A sum that a safe integer can't hold; it is one of these. */
  | { readonly _tag: 'Overflow'; readonly figures: readonly string[] }
  /** More queries or waiters at once than the reader takes. */
  | { readonly _tag: 'Overloaded'; readonly limit: number }
  | { readonly _tag: 'StoreClosed' }
  /** The file is absent, damaged, or of a newer version. */
  | { readonly _tag: 'StoreUnavailable'; readonly why: string }

/**
 * What an answer holds, and the position it holds at: one snapshot. Where it draws on several builds, it is the position
 * that all of them have reached.
 */
export interface Answer<T> {
  readonly position: number
  /** now(P): the greatest `received` up to there. */
  readonly received: number
  /** Where it draws on one build alone, that one. */
  readonly build?: BuildName | undefined
  readonly value: T
}

export interface StoredRow {
  readonly key: string
  readonly part: string
  readonly row: Row
}

export interface RefusedEvidence {
  readonly place: number
  readonly bytes: Uint8Array
}

export interface StoreReader {
  /** A failed query throws `StoreQueryError` with a `StoreFailure`. */
  list(
    query: ListQuery,
  ): Promise<Answer<{ readonly rows: readonly StoredRow[]; readonly next: string | undefined }>>
  aggregate(query: AggregateQuery): Promise<Answer<readonly Row[]>>
  /**
   * All rows of one key, of several projections in one snapshot, and the profile that it belongs to with all members. For
   * grain `profile`, any member's id will do.
   */
  get(
    projections: readonly string[],
    key: string,
  ): Promise<
    Answer<{
      readonly profile: string
      readonly members: readonly string[]
      readonly rows: ReadonlyMap<string, readonly StoredRow[]>
    }>
  >
  /** The states behind a key's rows, for explanations: for grain `profile` those of all atoms. MessagePack bytes. */
  states(
    projection: string,
    key: string,
  ): Promise<Answer<readonly { readonly key: string; readonly state: Uint8Array }[]>>
  /** Identity id → profile id and all members of that profile. Unknown ids stand alone. */
  members(
    identities: readonly string[],
  ): Promise<Answer<ReadonlyMap<string, { readonly profile: string; readonly members: readonly string[] }>>>
  builds(): Promise<Answer<readonly BuildStatus[]>>
  poison(limit: number): Promise<Answer<readonly PoisonEvent[]>>
  /** Refused evidence in the order in which it first came, behind the place `after`; 0 begins. */
  review(after: number, limit: number): Promise<Answer<readonly RefusedEvidence[]>>
  /** Resolves true when all serving builds have reached `position`, or false after `timeoutMs`. */
  waitFor(position: number, timeoutMs: number): Promise<boolean>
  /**
   * Tells the reader that this position is committed, so that nobody waits for the next look at the store. One smaller
   * than before says that the store was reset.
   */
  notifyPosition(position: number): void
  close(): Promise<void>
}

export class StoreQueryError extends Error {
  readonly failure: StoreFailure
  constructor(failure: StoreFailure) {
    super(`query refused: ${failure._tag}`)
    this.name = 'StoreQueryError'
    this.failure = failure
  }
}
