import { Components } from '../identity/components.ts'
import type { Evident } from '../identity/evidence.ts'
import { evidenceOf } from '../identity/evidence.ts'
import type { Evidence, IdentityRules } from '../identity/identity.ts'
import { decodeEvidence, encodeEvidence } from '../identity/stored.ts'
import type { Commit, StoreWriter } from '../store/store.ts'
import { ProfileGrouping } from './grouping.ts'

/** What a batch of events changed about who belongs together. */
interface Settled {
  readonly evidence: Commit['evidence']
  /** Profiles that won or lost members, those that vanished included. */
  readonly regrouped: ReadonlySet<string>
}

const NOTHING: Settled = { evidence: [], regrouped: new Set() }

/** Gathers the evidence of a batch and settles it once, before the batch's rows are written. */
export class IdentityFold {
  readonly grouping: ProfileGrouping
  readonly #components: Components
  #arrived: Evidence[] = []

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

  /** What it answers must be committed before the next batch is settled. */
  settle(): Settled {
    if (this.#arrived.length === 0) return NOTHING
    const { members, profiles, evidence } = this.#components.update(this.#arrived)
    this.#arrived = []
    const regrouped = this.grouping.change(members, profiles)
    return {
      regrouped,
      evidence: [...evidence].map(([slot, kept]) => ({
        id: slot,
        identities: [kept.a, kept.b],
        bytes: encodeEvidence(kept),
      })),
    }
  }
}
