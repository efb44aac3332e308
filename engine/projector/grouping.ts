import { BoundedCache } from '../bounded-cache.ts'
import type { StoreWriter } from '../store/store.ts'
import type { Grouping } from './build-fold.ts'

/** Identities whose profile is kept in memory between commits, and identities that their profiles' members come to. */
const MAX_CACHED = 200_000

/** Which profile an identity belongs to: the store's answer, with what this batch changed laid over it. */
export class ProfileGrouping implements Grouping {
  readonly #store: StoreWriter
  readonly #profileOf = new BoundedCache<string, string>(MAX_CACHED)
  readonly #membersOf = new BoundedCache<string, readonly string[]>(MAX_CACHED, ({ length }) => length)
  #changed = new Map<string, string>()
  #members = new Map<string, readonly string[]>()

  constructor(store: StoreWriter) {
    this.#store = store
  }

  profileOf(identity: string): string {
    const cached = this.#changed.get(identity) ?? this.#profileOf.get(identity)
    if (cached !== undefined) return cached
    const profile = this.#store.profileOf(identity)
    this.#profileOf.set(identity, profile ?? identity)
    if (profile === undefined) this.#membersOf.set(identity, [identity])
    return profile ?? identity
  }

  membersOf(profile: string): readonly string[] {
    const known = this.#members.get(profile) ?? this.#membersOf.get(profile)
    if (known !== undefined) return known
    const members = this.#store.membersOf(profile)
    this.#membersOf.set(profile, members)
    return members
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

  /** Drops what was laid over the store, and what is remembered of it. */
  forget(): void {
    this.#changed = new Map()
    this.#members = new Map()
    this.#profileOf.clear()
    this.#membersOf.clear()
  }

  /** Everything changed since the last call; afterwards the store is expected to hold it. */
  takeChanges(): ReadonlyMap<string, string> {
    const changed = this.#changed
    for (const [identity, profile] of changed) this.#profileOf.set(identity, profile)
    for (const [profile, members] of this.#members) {
      // Whoever vanished is asked for anew, should it ever come again.
      if (members.length === 0) this.#membersOf.delete(profile)
      else this.#membersOf.set(profile, members)
    }
    this.#changed = new Map()
    this.#members = new Map()
    return changed
  }
}

/** The profiles that these atoms belong to, each once, as many at a time as have atoms in a part. Each atom comes once. */
export function* profilesIn(
  atoms: Iterable<readonly string[]>,
  grouping: Grouping,
): Generator<readonly string[]> {
  /** Whoever is met by one atom alone need not be remembered. */
  const met = new Set<string>()
  for (const part of atoms) {
    const profiles: string[] = []
    for (const atom of part) {
      const profile = grouping.profileOf(atom)
      if (met.has(profile)) continue
      if (grouping.membersOf(profile).length > 1) met.add(profile)
      profiles.push(profile)
    }
    if (profiles.length > 0) yield profiles.sort()
  }
}
