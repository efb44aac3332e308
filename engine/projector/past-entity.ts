import type { RecordedEvent } from '../events/event.ts'
import type { IdentityId } from '../events/identity.ts'
import { evidenceOf } from '../identity/evidence.ts'
import type { Evidence, IdentityRules } from '../identity/identity.ts'
import { partition } from '../identity/partition.ts'
import { slotOf, supersedes } from '../identity/slot.ts'
import type { Row } from '../store/table.ts'
import type { Moment } from './asof.ts'
import { BuildFold, type Grouping, type StoredStates } from './build-fold.ts'
import { ConfigurationState } from './configuration.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'

export interface ChangingEntity {
  readonly projection: AnyProjection
  /** A record's key, or any identity of a profile. */
  readonly key: string
  /** Every event up to the later moment that may touch it, in log order; others change nothing. */
  readonly events: readonly RecordedEvent[]
  /** Configuration events up to the later moment, in log order. */
  readonly published: readonly DecodedEvent[]
  readonly rulesOf: (config: Configuration) => IdentityRules
  readonly open: (event: RecordedEvent) => DecodedEvent
}

export type CausingEvent = Pick<RecordedEvent, 'id' | 'source' | 'type' | 'time' | 'position'>

/** One event, as far as it touches the entity and as far as it configures. */
export interface Step {
  readonly place: CausingEvent & Pick<RecordedEvent, 'received'>
  readonly recorded: RecordedEvent | undefined
  readonly published: DecodedEvent | undefined
}

const NOTHING: StoredStates = { state: () => undefined, due: () => [] }

/** One entity as history goes by, in memory: its rows and who belongs to it after any event. */
export class PastEntity {
  readonly #entity: ChangingEntity
  readonly #by: Moment['by']
  readonly #isOfPeople: boolean
  readonly #config = new ConfigurationState()
  #hash: string
  #rules: IdentityRules
  #fold: BuildFold
  readonly #taken: Step[] = []
  readonly #evidence = new Map<string, Evidence>()
  #members: readonly IdentityId[]
  #isTouched = false
  /** Events folded, those folded anew included. */
  folded = 0

  constructor(entity: ChangingEntity, by: Moment['by']) {
    this.#entity = entity
    this.#by = by
    this.#isOfPeople = entity.projection.table.grain === 'profile'
    this.#members = [entity.key]
    this.#hash = this.#config.hash(entity.projection)
    this.#rules = entity.rulesOf(this.#config)
    this.#fold = this.#newFold()
  }

  /** Sorted; the same list as long as nobody comes or goes. */
  get members(): readonly IdentityId[] {
    return this.#members
  }

  /** Whether rows or members may have changed since the last call. */
  takeTouched(): boolean {
    const isTouched = this.#isTouched
    this.#isTouched = false
    return isTouched
  }

  timeOf({ place }: Step): number {
    return this.#by === 'occurred' ? place.time : place.received
  }

  take(step: Step): void {
    const isNew = step.published !== undefined && this.#config.apply(step.published)
    if (isNew) this.#configured(this.timeOf(step))
    this.#taken.push(step)
    this.#foldStep(step)
    if (step.recorded !== undefined && this.#isOfPeople) this.#group(step.recorded)
  }

  /** Lets deadlines up to `now` (ms) fall due, one instant after the other. */
  fallDue(now: number, onDeadline: (at: number) => void): void {
    for (let at = this.#fold.nextDue(); at !== undefined && at <= now; at = this.#fold.nextDue()) {
      this.#fold.tick(at)
      this.#isTouched = true
      onDeadline(at)
    }
  }

  rows(): ReadonlyMap<string, Row> {
    const members = this.#members
    const profile = members[0] ?? this.#entity.key
    const grouping: Grouping = { profileOf: () => profile, membersOf: () => members }
    return this.#fold.rowsNow(this.#isOfPeople ? profile : this.#entity.key, grouping)
  }

  #foldStep(step: Step): void {
    const { recorded } = step
    if (recorded === undefined) return
    const now = this.timeOf(step)
    this.#fold.tick(now)
    if (this.#fold.handles(recorded.type)) {
      this.#isTouched = true
      this.folded += 1
      this.#open(recorded)
    }
    this.#fold.tick(now)
  }

  #open(recorded: RecordedEvent): void {
    try {
      this.#fold.fold(this.#entity.open(recorded))
    } catch (error) {
      this.#fold.setAside(recorded, error)
    }
  }

  /** Another configuration builds anew; other rules group anew. */
  #configured(now: number): void {
    const { projection, rulesOf } = this.#entity
    const hash = this.#config.hash(projection)
    if (hash !== this.#hash) {
      this.#hash = hash
      this.#fold = this.#newFold()
      for (const step of this.#taken) this.#foldStep(step)
      this.#fold.tick(now)
      this.#isTouched = true
    }
    const rules = rulesOf(this.#config)
    if (rules === this.#rules) return
    this.#rules = rules
    this.#regroup()
  }

  #newFold(): BuildFold {
    const { projection } = this.#entity
    return new BuildFold(projection, projection.name, this.#config.snapshot(), NOTHING)
  }

  #group(event: RecordedEvent): void {
    let isNew = false
    for (const piece of evidenceOf(event)) {
      const slot = slotOf(piece)
      const known = this.#evidence.get(slot)
      if (known !== undefined && !supersedes(piece, known)) continue
      this.#evidence.set(slot, piece)
      isNew = true
    }
    if (isNew) this.#regroup()
  }

  #regroup(): void {
    if (!this.#isOfPeople) return
    const { key } = this.#entity
    const { profiles } = partition(this.#evidence.values(), this.#rules)
    const members = profiles.find((profile) => profile.members.includes(key))?.members ?? [key]
    if (members.length === this.#members.length && members.every((id, at) => id === this.#members[at])) return
    this.#members = members
    this.#isTouched = true
  }
}
