import type { IdentityId } from '../../engine/events/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'
import type { ErasingKeyStore } from '../../engine/privacy/privacy.ts'
import { ERASED, idsIn } from './logged-rounds.ts'
import { type ErasingParts, forget, refolded } from './steps.ts'

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

/**
 * Applies every erasure of the log to a key store and what was folded with it, before anything is served from them.
 * Whom that concerns is kept first: once their keys are gone again nothing else tells what a crash has left to do.
 * Throws `ErasureHeldUp`, and what the stores throw.
 */
export async function reapplyErasures(
  parts: Pick<ErasingParts, 'log' | 'keyStore' | 'clock' | 'quarantine' | 'reads' | 'records' | 'onStep'>,
  onKnown: (count: number) => void,
): Promise<void> {
  const { log, keyStore, reads, records } = parts
  const known = await knownAgain(log, keyStore)
  const ids = [...new Set([...records.forgetting(), ...known])]
  if (ids.length === 0) return
  records.putForgetting(ids)
  onKnown(ids.length)
  await forget(parts, ids)
  await reads.forget(ids)
  await refolded(parts, ids)
  records.putForgetting([])
}
