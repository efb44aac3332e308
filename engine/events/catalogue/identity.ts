import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import { id, orNull, shape, text } from '../fields.ts'

/**
 * The identities that the decision is about; a sender may as well name them in the envelope. A steward who sees only
 * ids names those in the envelope and leaves this out.
 */
const identities = personal(t.array(shape({ namespace: id, value: id }, {})))

const decision = {
  schema: 1,
  category: 'identity',
  retention: 'governance',
  identities: [['*', 'identities']],
  normalise: {},
  codec: shape({ steward: text }, { identities, reason: orNull(text), rule: orNull(text) }),
} as const

/** What stewards decide about who is who. */
export const identity = {
  'identity.linked': decision,
  'identity.cut': decision,
  'identity.cut_lifted': decision,
  'identity.kept_apart': decision,
} as const satisfies Readonly<Record<string, EventDefinition>>
