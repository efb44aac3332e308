import assert from 'node:assert/strict'
import { pack, unpack } from 'msgpackr'
import type { CutEvidence, Evidence, LinkEvidence } from './identity.ts'

type StoredLink = readonly [
  rule: LinkEvidence['rule'],
  id: string,
  a: string,
  b: string,
  time: number,
  eventId: string,
  position: number,
  aNamespace: string,
  bNamespace: string,
]
type StoredCut = readonly [
  kind: CutEvidence['kind'],
  id: string,
  a: string,
  b: string,
  time: number,
  eventId: string,
  position: number,
]

/** Evidence as the store keeps it: a MessagePack array. Rebuilt with the read models, so the form may change. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  const { id, a, b, time, eventId, position } = evidence
  const stored: StoredLink | StoredCut =
    evidence.kind === 'link'
      ? [evidence.rule, id, a, b, time, eventId, position, evidence.aNamespace, evidence.bNamespace]
      : [evidence.kind, id, a, b, time, eventId, position]
  return pack(stored)
}

export function decodeEvidence(bytes: Uint8Array): Evidence {
  const stored = unpack(bytes) as StoredLink | StoredCut
  const [kind, id, a, b, time, eventId, position] = stored
  assert(
    typeof a === 'string' && typeof b === 'string' && Number.isSafeInteger(time),
    'stored evidence is whole',
  )
  switch (kind) {
    case 'cut':
    case 'cut_lifted':
      return { kind, id, a, b, time, eventId, position }
    case 'stated':
    case 'steward': {
      const [, , , , , , , aNamespace, bNamespace] = stored as StoredLink
      return { kind: 'link', rule: kind, id, a, b, time, eventId, position, aNamespace, bNamespace }
    }
  }
}
