import * as t from 'io-ts'
import type { Audit } from '../../engine/audit/audit.ts'
import { INCLUSION_FORMAT, type InclusionBundle } from '../../engine/audit/verify.ts'
import { formatInstant } from '../routes/cells.ts'
import type { StoredErasure } from './operations-file.ts'

/** What an erasure is answered with: what was done, in ids that name nobody, and what proves it. */

export const CERTIFICATE_FORMAT = 'headwater-erasure/1'

const bundle = t.type({
  format: t.literal(INCLUSION_FORMAT),
  position: t.number,
  leafIndex: t.number,
  event: t.string,
  entry: t.string,
  path: t.array(t.string),
  treeHead: t.string,
})

export const certificateCodec = t.intersection([
  t.type({
    format: t.literal(CERTIFICATE_FORMAT),
    number: t.string,
    workspace: t.string,
    requested: t.string,
    erased: t.string,
    reason: t.union([t.string, t.null]),
    /** What stood for the person in the log; random, and nobody knows any more whom it names. */
    identities: t.array(t.type({ id: t.string, namespace: t.string })),
    destroyed: t.type({ mappings: t.number, keys: t.number, keyIds: t.array(t.string) }),
    /** Of each `person.erased`, which says the same in the log. */
    positions: t.array(t.number),
    purged: t.type({ readModelStates: t.number, quarantinedBodies: t.number }),
    remains: t.array(t.string),
  }),
  t.partial({
    /** Which of the identities were linked to the person only after the erasure was asked for. */
    linkedSince: t.array(t.string),
    /** Inclusion proofs of those events; absent where there is no tree head yet. */
    proofs: t.array(bundle),
  }),
])

export type Certificate = t.TypeOf<typeof certificateCodec>

export function certificateOf(
  erasure: StoredErasure,
  done: { readonly workspace: string; readonly finished: number; readonly keys: number },
): Certificate {
  const { number, requested, reason, plan } = erasure
  const { rounds } = plan
  const keyIds = rounds.flatMap((round) => round.keyIds)
  const identities = rounds.flatMap((round) => round.identities)
  const asked = plan.asked === undefined ? undefined : new Set(plan.asked)
  return {
    format: CERTIFICATE_FORMAT,
    number,
    workspace: done.workspace,
    requested: formatInstant(requested),
    erased: formatInstant(done.finished),
    reason: reason ?? null,
    identities,
    ...(asked !== undefined && {
      linkedSince: identities.flatMap(({ id }) => (asked.has(id) ? [] : [id])),
    }),
    destroyed: {
      mappings: rounds.reduce((sum, { mappings }) => sum + mappings, 0),
      keys: keyIds.length,
      keyIds,
    },
    positions: rounds.flatMap(({ position }) => position ?? []),
    purged: { readModelStates: done.keys, quarantinedBodies: plan.bodies },
    remains: [...REMAINS],
  }
}

/** What an erasure leaves, in plain words. */
export const REMAINS: readonly string[] = [
  'The events stay in the log, with their times, types, amounts and random ids, so that totals and proofs hold. ' +
    'Their personal parts are unreadable; what is left is unlinkable by us, not proven anonymous.',
  'What senders wrote into fields that hold no personal data by the catalogue (event ids, record numbers, names of ' +
    'sources and campaigns) is not sealed and stays.',
  'A keyed mark of each identity stays, so that the person is not collected again without new consent.',
  'A keyed hash of each refused body stays in the log; its key goes within 30 days. Refused bodies that name the person ' +
    'by no identity, only by a name say, or that could not be read or were kept as a hash, were not found; they go within ' +
    '30 days.',
  'Exports, what was sent to other systems, and backups made before are the operator’s to erase.',
]

/** Undefined as long as no tree head covers them all. */
export async function proofsOf(
  audit: Audit | undefined,
  positions: readonly number[],
): Promise<Certificate['proofs']> {
  if (audit === undefined) return undefined
  const proofs: InclusionBundle[] = []
  for (const position of positions) {
    const proof = await audit.proveInclusion(position).catch(() => undefined)
    if (proof === undefined) return undefined
    proofs.push({
      format: INCLUSION_FORMAT,
      position,
      leafIndex: proof.leafIndex,
      event: base64(proof.event),
      entry: base64(proof.entry),
      path: proof.path.map(base64),
      treeHead: proof.treeHead.note,
    })
  }
  return proofs.map((proof) => ({ ...proof, path: [...proof.path] }))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
