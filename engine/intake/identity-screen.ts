import * as E from 'fp-ts/lib/Either.js'
import {
  type BlockedValues,
  blockedValues,
  countedIdentities,
  DEFAULT_BLOCKED,
} from '../events/blocked-values.ts'
import type { StatedIdentity } from '../events/identity.ts'
import { parseIdentityRules } from '../identity/rules.ts'

type Data = Readonly<Record<string, unknown>>

/** Which stated identities count, by the identity rules published last. */
export class IdentityScreen {
  #blocked = DEFAULT_BLOCKED
  /** All that ever counted: recorded events are without what was blocked when they came. */
  readonly #ever: BlockedValues[] = [DEFAULT_BLOCKED]

  learn(type: string, data: Data): void {
    if (!isIdentityRules(type, data)) return
    const parsed = parseIdentityRules(data['rules'], '')
    if (E.isLeft(parsed)) return
    this.#blocked = blockedValues(parsed.right.blocked)
    this.#ever.push(this.#blocked)
  }

  /** The same list where all count. */
  counted(identities: readonly StatedIdentity[]): readonly StatedIdentity[] {
    return countedIdentities(identities, this.#blocked)
  }

  /** Whether an event may have been recorded without it, though its sender named it. */
  mayBeLeftOut(identity: StatedIdentity): boolean {
    return this.#ever.some((blocked) => blocked.verdict(identity) !== undefined)
  }
}

/** What is wrong with published identity rules: rules that nobody can follow must not get into the log. */
export function explainRules(type: string, data: Data): string | undefined {
  if (!isIdentityRules(type, data)) return undefined
  const parsed = parseIdentityRules(data['rules'], '')
  if (E.isRight(parsed)) return undefined
  return parsed.left.map(({ path, message }) => `rules${path} ${message}`).join('; ')
}

function isIdentityRules(type: string, data: Data): boolean {
  return type === 'rules.published' && data['kind'] === 'identity'
}
