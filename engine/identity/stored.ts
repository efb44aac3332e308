import assert from 'node:assert/strict'
import { pack, unpack } from 'msgpackr'
import type { ApartEvidence, CutEvidence, Evidence, LinkEvidence } from './identity.ts'

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
  refused: boolean,
]
type StoredDecision = readonly [
  kind: (CutEvidence | ApartEvidence)['kind'],
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
  const stored: StoredLink | StoredDecision =
    evidence.kind === 'link'
      ? [evidence.rule, id, a, b, time, eventId, position, ...endsOf(evidence)]
      : [evidence.kind, id, a, b, time, eventId, position]
  return pack(stored)
}

export function decodeEvidence(bytes: Uint8Array): Evidence {
  const stored = unpack(bytes) as StoredLink | StoredDecision
  const [kind, id, a, b, time, eventId, position] = stored
  assert(
    typeof a === 'string' && typeof b === 'string' && Number.isSafeInteger(time),
    'stored evidence is whole',
  )
  switch (kind) {
    case 'cut':
    case 'cut_lifted':
    case 'kept_apart':
      return { kind, id, a, b, time, eventId, position }
    case 'stated':
    case 'steward': {
      const [, , , , , , , aNamespace, bNamespace, refused] = stored as StoredLink
      const link = { rule: kind, id, a, b, time, eventId, position, aNamespace, bNamespace }
      return refused === true ? { kind: 'link', ...link, refused } : { kind: 'link', ...link }
    }
  }
}

function endsOf({ aNamespace, bNamespace, refused }: LinkEvidence): readonly [string, string, boolean] {
  return [aNamespace, bNamespace, refused === true]
}
