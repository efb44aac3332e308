import { Components } from '../identity/components.ts'
import type { Evident } from '../identity/evidence.ts'
import { evidenceOf } from '../identity/evidence.ts'
import type { Evidence, IdentityRules } from '../identity/identity.ts'
import { decodeEvidence, encodeEvidence } from '../identity/stored.ts'
import type { Commit, StoreWriter } from '../store/store.ts'
import { ProfileGrouping } from './grouping.ts'

/** Gathers evidence and settles who belongs together, at the latest before rows are written. */
export class IdentityFold {
  readonly grouping: ProfileGrouping
  readonly #components: Components
  #arrived: Evidence[] = []
  /** What was settled since the last commit. */
  #evidence = new Map<string, Evidence>()
  #regrouped = new Set<string>()

  constructor(store: StoreWriter, rules: IdentityRules) {
    this.grouping = new ProfileGrouping(store)
    const source = {
      evidenceOf: (id: string) => store.evidenceOf(id).map(({ bytes }) => decodeEvidence(bytes)),
      profileOf: (id: string) => store.profileOf(id),
      membersOf: (profile: string) => store.membersOf(profile),
    }
    this.#components = new Components(source, rules)
  }

  take(event: Evident): void {
    for (const evidence of evidenceOf(event)) this.#arrived.push(evidence)
  }

  /** Brings `grouping` up to date with what was taken. */
  settle(): void {
    if (this.#arrived.length === 0) return
    if (this.#evidence.size === 0) this.#components.trim()
    const { members, profiles, evidence } = this.#components.update(this.#arrived)
    this.#arrived = []
    for (const profile of this.grouping.change(members, profiles)) this.#regrouped.add(profile)
    for (const [slot, kept] of evidence) this.#evidence.set(slot, kept)
  }

  /** Profiles that won or lost members since the last commit, those that vanished included. */
  get regrouped(): ReadonlySet<string> {
    return this.#regrouped
  }

  /** What was settled since the last call, as a commit takes it; it must be in the store before anything else is asked. */
  takeChanges(): Pick<Commit, 'evidence' | 'members'> {
    const evidence = Array.from(this.#evidence, ([slot, kept]) => ({
      id: slot,
      identities: [kept.a, kept.b],
      bytes: encodeEvidence(kept),
    }))
    this.#evidence = new Map()
    this.#regrouped = new Set()
    return { evidence, members: this.grouping.takeChanges() }
  }
}
