import type { StoreWriter } from '../store/store.ts'
import type { Grouping } from './build-fold.ts'

/** Identities whose profile is kept in memory between commits. */
const MAX_CACHED = 200_000

/** Which profile an identity belongs to: the store's answer, with what this batch changed laid over it. */
export class ProfileGrouping implements Grouping {
  readonly #store: StoreWriter
  readonly #profileOf = new Map<string, string>()
  #changed = new Map<string, string>()
  #members = new Map<string, readonly string[]>()

  constructor(store: StoreWriter) {
    this.#store = store
  }

  profileOf(identity: string): string {
    const cached = this.#changed.get(identity) ?? this.#profileOf.get(identity)
    if (cached !== undefined) return cached
    const profile = this.#store.profileOf(identity) ?? identity
    this.#profileOf.set(identity, profile)
    return profile
  }

  membersOf(profile: string): readonly string[] {
    return this.#members.get(profile) ?? this.#store.membersOf(profile)
  }

  /** Lays a change over the store: identity → profile, and the members of every profile concerned. */
  change(
    profiles: ReadonlyMap<string, string>,
    members: ReadonlyMap<string, readonly string[]>,
  ): ReadonlySet<string> {
    const touched = new Set<string>()
    for (const [identity, profile] of profiles) {
      touched.add(this.profileOf(identity))
      touched.add(profile)
      this.#changed.set(identity, profile)
    }
    for (const [profile, list] of members) this.#members.set(profile, list)
    return touched
  }

  /** Everything changed since the last call; afterwards the store is expected to hold it. */
  takeChanges(): ReadonlyMap<string, string> {
    const changed = this.#changed
    for (const [identity, profile] of changed) this.#profileOf.set(identity, profile)
    this.#changed = new Map()
    this.#members = new Map()
    for (const identity of this.#profileOf.keys()) {
      if (this.#profileOf.size <= MAX_CACHED) break
      this.#profileOf.delete(identity)
    }
    return changed
  }
}
