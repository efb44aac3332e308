import assert from 'node:assert/strict'
import type { IdentityId } from '../../engine/events/identity.ts'
import { blocksOf, pairsAmong, visitPairs } from '../../engine/identity/linkage/blocking.ts'
import { propose } from '../../engine/identity/linkage/candidates.ts'
import { learn } from '../../engine/identity/linkage/learn.ts'
import type { LinkageRecord } from '../../engine/identity/linkage/model.ts'
import { type PreparedRecord, prepareAll } from '../../engine/identity/linkage/prepare.ts'
import { type Candidate, surestFirst, type Weights } from '../../engine/identity/linkage/weights.ts'
import { decodeRow } from '../../engine/store/cells.ts'
import type { StoreSnapshot } from '../../engine/store/snapshot.ts'
import { areHousehold, comparedOf, heldIn, KINDS, type Kind, MODELS } from './fields.ts'
import { type Decided, isDecided } from './verdicts.ts'

/** Looks for probable duplicates among all profiles that the read models hold. */

/** Of each kind. What is beyond them is counted and told. */
export interface FindLimits {
  /** Most profiles compared: those last heard of. */
  readonly profiles: number
  /** Most pairs compared, those of the passes that tell most. */
  readonly pairs: number
  /** Most candidates kept: the surest. */
  readonly candidates: number
}

export const FIND_LIMITS: FindLimits = { profiles: 50_000, pairs: 10_000_000, candidates: 5_000 }

/** A single field in common is nothing to decide by. */
const LEAST_FIELDS = 2
/** Any: which pairs weights are learnt from shall not differ from run to run. */
const SEED = 1

export interface FoundCandidate extends Candidate {
  readonly kind: Kind
}

/** What became of the profiles of one kind. */
export interface KindCount {
  readonly kind: Kind
  readonly profiles: {
    readonly compared: number
    /** They hold fewer than two fields that are compared. */
    readonly sparse: number
    readonly leftOut: number
  }
  /** `leftOut`: in blocks that too many share, and beyond the limit. */
  readonly pairs: { readonly compared: number; readonly leftOut: number }
  /** `decided`: a steward has decided about them before; `households`: they share an address, say, and not the first name. */
  readonly candidates: {
    readonly kept: number
    readonly decided: number
    readonly households: number
    readonly leftOut: number
  }
  /**
   * False: the weights didn't come to rest, or expect more matches than there are profiles. Something else than being one
   * was learnt, then: look twice.
   */
  readonly reliable: boolean
}

export interface Found {
  /** Where the read models stood, and `received` there. */
  readonly position: number
  readonly received: number
  readonly kinds: readonly KindCount[]
  /** The surest first. They name profiles as they were then; no values. */
  readonly candidates: readonly FoundCandidate[]
  /** Profile → its identities then, for every profile in a candidate. */
  readonly members: ReadonlyMap<IdentityId, readonly IdentityId[]>
}

export interface FindProgress {
  readonly step: 'reading' | 'learning' | 'comparing'
  readonly kind: Kind | undefined
  /** Profiles read, or pairs compared. */
  readonly done: number
}

interface FindOrder {
  readonly limits: FindLimits
  readonly decided: Decided
  readonly onProgress: (progress: FindProgress) => void
}

/** Closes the snapshot once it is read: comparing takes longer than a snapshot should be open. */
export function findDuplicates(snapshot: StoreSnapshot, order: FindOrder): Found {
  const { position, received } = snapshot.checkpoint
  const gathered = readProfiles(snapshot, order)
  const kinds = KINDS.map((kind) => compareKind(kind, gathered, order))
  const candidates = kinds.flatMap((each) => each.candidates).sort(surestFirst)
  const named = new Set(candidates.flatMap(({ a, b }) => [a, b]))
  const members = new Map([...named].map((id) => [id, membersIn(gathered, id)]))
  return { position, received, kinds: kinds.map(({ count }) => count), candidates, members }
}

interface Gathered {
  readonly people: Readonly<Record<Kind, Gathering>>
  /** Profile → its identities, of those that have more than one. */
  readonly members: ReadonlyMap<IdentityId, readonly IdentityId[]>
}

function membersIn({ members }: Gathered, profile: IdentityId): readonly IdentityId[] {
  return members.get(profile) ?? [profile]
}

/** Profiles of one kind as they are read; never more than twice the limit. */
class Gathering {
  #kept: { readonly record: LinkageRecord; readonly lastSeen: number }[] = []
  readonly #limit: number
  sparse = 0
  leftOut = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(record: LinkageRecord, lastSeen: number): void {
    this.#kept.push({ record, lastSeen })
    if (this.#kept.length > 2 * this.#limit) this.#trim()
  }

  records(): readonly LinkageRecord[] {
    if (this.#kept.length > this.#limit) this.#trim()
    return this.#kept.map(({ record }) => record)
  }

  #trim(): void {
    const order = (a: LinkageRecord, b: LinkageRecord) => (a.id < b.id ? -1 : 1)
    this.#kept.sort((a, b) => b.lastSeen - a.lastSeen || order(a.record, b.record))
    this.leftOut += Math.max(0, this.#kept.length - this.#limit)
    this.#kept = this.#kept.slice(0, this.#limit)
  }
}

const PROGRESS_PROFILES = 20_000

function readProfiles(snapshot: StoreSnapshot, { limits, onProgress }: FindOrder): Gathered {
  const people = { person: new Gathering(limits.profiles), company: new Gathering(limits.profiles) }
  const members = new Map<IdentityId, readonly IdentityId[]>()
  const gathered: Gathered = { people, members }
  try {
    const serving = snapshot.builds.find(({ projection, serving }) => projection === 'profile' && serving)
    if (serving === undefined) return gathered
    const columns = snapshot.columns(serving.build)
    let done = 0
    for (const { key, cells } of snapshot.rows(serving.build)) {
      const row = decodeRow(columns, cells, 0)
      const compared = comparedOf(row)
      if (++done % PROGRESS_PROFILES === 0) onProgress({ step: 'reading', kind: undefined, done })
      if (compared === undefined) continue
      const gathering = people[compared.kind]
      if (heldIn(compared.values) < LEAST_FIELDS) gathering.sparse += 1
      else gathering.add({ id: key, values: compared.values }, Number(row['last_seen'] ?? 0))
    }
    for (const kind of KINDS)
      for (const { id } of people[kind].records()) {
        const all = snapshot.membersOf(id)
        if (all.length > 1) members.set(id, all)
      }
    return gathered
  } finally {
    snapshot.close()
  }
}

function compareKind(
  kind: Kind,
  gathered: Gathered,
  order: FindOrder,
): { readonly count: KindCount; readonly candidates: readonly FoundCandidate[] } {
  const { sparse, leftOut } = gathered.people[kind]
  const records = gathered.people[kind].records()
  order.onProgress({ step: 'learning', kind, done: 0 })
  const weights = records.length < 2 ? undefined : learn(records, MODELS[kind], SEED)
  const found = weights === undefined ? NOTHING : proposals(kind, records, weights, gathered, order)
  const { candidates, pairs, decided, households } = found
  return {
    count: {
      kind,
      profiles: { compared: records.length, sparse, leftOut },
      pairs,
      candidates: { kept: candidates.length, decided, households, leftOut: found.leftOut },
      reliable: weights === undefined || isReliable(weights, records.length),
    },
    candidates: candidates.map((candidate) => ({ ...candidate, kind })),
  }
}

function isReliable({ converged, prior }: Weights, records: number): boolean {
  return converged && prior * pairsAmong(records) <= records
}

const NOTHING: Proposed = {
  ...{ candidates: [], leftOut: 0, decided: 0, households: 0 },
  pairs: { compared: 0, leftOut: 0 },
}

interface Proposed {
  readonly candidates: readonly Candidate[]
  readonly leftOut: number
  readonly decided: number
  readonly households: number
  readonly pairs: KindCount['pairs']
}

const PROGRESS_PAIRS = 100_000

function proposals(
  kind: Kind,
  records: readonly LinkageRecord[],
  weights: Weights,
  gathered: Gathered,
  { limits, decided, onProgress }: FindOrder,
): Proposed {
  const model = MODELS[kind]
  const prepared = prepareAll(records, model)
  const blocks = blocksOf(prepared, model)
  const pairs = { compared: 0, leftOut: blocks.leftOut.reduce((sum, { pairs }) => sum + pairs, 0) }
  const kept = new Surest(limits.candidates)
  let decidedPairs = 0
  let households = 0
  visitPairs(blocks, (one, other) => {
    if (pairs.compared >= limits.pairs) {
      pairs.leftOut += 1
      return
    }
    if (++pairs.compared % PROGRESS_PAIRS === 0) onProgress({ step: 'comparing', kind, done: pairs.compared })
    const candidate = propose(at(prepared, one), at(prepared, other), model, weights)
    if (candidate === undefined) return
    const { a, b } = candidate
    if (areHousehold(kind, candidate.reasons)) households += 1
    else if (isDecided(decided, membersIn(gathered, a), membersIn(gathered, b))) decidedPairs += 1
    else kept.add(candidate)
  })
  return { candidates: kept.all(), leftOut: kept.leftOut, decided: decidedPairs, households, pairs }
}

function at(records: readonly PreparedRecord[], index: number): PreparedRecord {
  const record = records[index]
  assert(record !== undefined, 'blocks are of these records')
  return record
}

/** The surest candidates that were added; never holds more than twice the limit. */
class Surest {
  #kept: Candidate[] = []
  readonly #limit: number
  leftOut = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(candidate: Candidate): void {
    this.#kept.push(candidate)
    if (this.#kept.length > 2 * this.#limit) this.#trim()
  }

  all(): readonly Candidate[] {
    this.#trim()
    return this.#kept
  }

  #trim(): void {
    this.#kept.sort(surestFirst)
    this.leftOut += Math.max(0, this.#kept.length - this.#limit)
    this.#kept = this.#kept.slice(0, this.#limit)
  }
}
