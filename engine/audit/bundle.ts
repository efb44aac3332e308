import type { InclusionProof, SignedTreeHead } from './audit.ts'
import {
  CONSISTENCY_FORMAT,
  type ConsistencyBundle,
  INCLUSION_FORMAT,
  type InclusionBundle,
} from './verify.ts'

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** A proof as auditors take it along; `note`: the tree head that it leads to, where that isn't the proof's own. */
export function inclusionBundle(proof: InclusionProof, note = proof.treeHead.note): InclusionBundle {
  const { position, leafIndex, event, entry, path } = proof
  return {
    format: INCLUSION_FORMAT,
    ...{ position, leafIndex, event: base64(event), entry: base64(entry) },
    ...{ path: path.map(base64), treeHead: note },
  }
}

/** That the log of `to` begins with that of the signed note `from`. */
export function consistencyBundle(
  from: string,
  path: readonly Uint8Array[],
  to: Pick<SignedTreeHead, 'note'>,
): ConsistencyBundle {
  return { format: CONSISTENCY_FORMAT, from, path: path.map(base64), to: to.note }
}
