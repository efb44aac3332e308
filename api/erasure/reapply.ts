import type { IdentityId } from '../../engine/events/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'
import type { ErasingKeyStore } from '../../engine/privacy/privacy.ts'

const ERASED: ReadonlySet<string> = new Set(['person.erased'])

/**
 * Identities that the log says to be erased and the key store knows all the same, as one from a backup may. Whoever
 * consented again is known by a new id, and isn't among them.
 */
export async function knownAgain(
  log: Pick<LogReader, 'read'>,
  keyStore: Pick<ErasingKeyStore, 'holdings'>,
): Promise<readonly IdentityId[]> {
  const known = new Set<IdentityId>()
  for await (const batch of log.read({ types: ERASED }))
    for (const { data } of batch)
      for (const id of idsIn(data['erased'])) {
        const { mappings, keyIds } = keyStore.holdings([id])
        if (mappings > 0 || keyIds.length > 0) known.add(id)
      }
  return [...known]
}

function idsIn(erased: unknown): readonly IdentityId[] {
  return Array.isArray(erased) ? erased.filter((id) => typeof id === 'string') : []
}

/**
 * Applies every erasure of the log to a key store, before anything is served from the two of them. Answers whom it had
 * known again. What they left in read models, if those are kept, is to be folded anew.
 */
export async function reapplyErasures(
  log: Pick<LogReader, 'read'>,
  keyStore: ErasingKeyStore,
): Promise<readonly IdentityId[]> {
  const known = await knownAgain(log, keyStore)
  if (known.length > 0) await keyStore.destroyOwner(known)
  return known
}
