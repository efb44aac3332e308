import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import type { IdentityId } from '../../engine/events/identity.ts'
import type { IdentityRules, Profile } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import type { Log } from '../../engine/log/log.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { type HistoryLimits, type Region, regionAt, type TooMuchHistory } from './component.ts'

/** Who belonged together at a moment, asked for many: what hangs together is read once. */
export class PastPeople {
  readonly #log: Pick<Log, 'readIdentity'>
  readonly #moment: Moment
  readonly #rules: IdentityRules
  readonly #limits: HistoryLimits
  readonly #known = new Map<IdentityId, Profile>()

  constructor(
    log: Pick<Log, 'readIdentity'>,
    moment: Moment,
    { rules, limits }: { readonly rules: IdentityRules; readonly limits: HistoryLimits },
  ) {
    this.#log = log
    this.#moment = moment
    this.#rules = rules
    this.#limits = limits
  }

  /** Reads what hangs together with it, unless that is known already; whoever is unknown stands alone. */
  async profileOf(id: IdentityId): Promise<Either<TooMuchHistory, Profile>> {
    const known = this.#known.get(id)
    if (known !== undefined) return E.right(known)
    const region = await regionAt(this.#log, [id], this.#moment, this.#limits)
    if (E.isLeft(region)) return region
    this.learn(region.right)
    const profile = this.#known.get(id) ?? { id, members: [id] }
    this.#known.set(id, profile)
    return E.right(profile)
  }

  /** Takes over what was read elsewhere. */
  learn({ evidence }: Pick<Region, 'evidence'>): void {
    for (const profile of partition(evidence, this.#rules).profiles)
      for (const member of profile.members) this.#known.set(member, profile)
  }
}
