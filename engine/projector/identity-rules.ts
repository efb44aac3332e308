import * as E from 'fp-ts/lib/Either.js'
import type { IdentityRules } from '../identity/identity.ts'
import { parseIdentityRules } from '../identity/rules.ts'
import type { Configuration } from './projection.ts'

/**
 * The identity rules in force: those published last, else `otherwise`. The intake lets no document in that can't be read;
 * one that this release can't read any more counts as none. Without a version of its own it is known by its position.
 */
export function identityRulesOf(configuration: Configuration, otherwise: IdentityRules): IdentityRules {
  const last = configuration
    .all('rules.published')
    .filter(({ data }) => data.kind === 'identity')
    .reduce<{ readonly position: number; readonly rules: unknown; readonly version: string } | undefined>(
      (newest, { position, data }) =>
        newest !== undefined && newest.position > position
          ? newest
          : { position, rules: data.rules, version: data.version ?? `position ${position}` },
      undefined,
    )
  if (last === undefined) return otherwise
  const parsed = parseIdentityRules(last.rules, last.version)
  return E.isRight(parsed) ? parsed.right.rules : otherwise
}
