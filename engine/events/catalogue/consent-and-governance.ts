import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import { id, instant, integer, longText, orBlank, orNull, shape, text } from '../fields.ts'
import { PERSON_IDENTITIES, PERSON_NORMALISE, person } from './shared.ts'

const base = {
  schema: 1,
  retention: 'governance',
  identities: PERSON_IDENTITIES,
  normalise: PERSON_NORMALISE,
} as const

const consent = {
  ...base,
  category: 'consent',
  normalise: { ...PERSON_NORMALISE, expires: 'instant' },
  codec: shape(
    { purpose: text },
    {
      ...person,
      basis: orNull(text),
      channel: orNull(text),
      expires: orBlank(instant),
      evidence: personal(t.union([t.UnknownRecord, longText, t.null])),
      reason: orNull(text),
    },
  ),
} as const

const request = {
  ...base,
  category: 'privacy',
  record: 'request_id',
  normalise: { ...PERSON_NORMALISE, due_at: 'instant' },
  codec: shape(
    {
      request_id: id,
      kind: t.keyof({
        access: null,
        erasure: null,
        portability: null,
        rectification: null,
        restriction: null,
        objection: null,
      }),
    },
    {
      ...person,
      channel: orNull(text),
      due_at: orBlank(instant),
      outcome: orNull(text),
      reason: orNull(text),
      by: orNull(text),
    },
  ),
} as const

/** A steward's decision about one field of a read model's row. */
const decision = {
  ...person,
  view: orNull(text),
  key: orNull(id),
  value: personal(t.unknown),
  reason: orNull(text),
}

/** The views of people and companies, whose rows are known by identity ids. */
const about = { view: 'view', key: 'key', people: ['profile', 'account', 'contact', 'lead'] } as const

const field = {
  ...base,
  category: 'field',
  about,
  normalise: { ...PERSON_NORMALISE, expires_at: 'instant' },
  codec: shape({ field: text, steward: text }, { ...decision, expires_at: orBlank(instant) }),
} as const

const nobody = { schema: 1, retention: 'governance', identities: [], normalise: {} } as const

/** Consent, the rights of people, and what the engine and its stewards decide. */
export const consentAndGovernance = {
  'consent.granted': consent,
  'consent.denied': consent,
  'consent.revoked': consent,
  'privacy.requested': request,
  'privacy.completed': request,
  'person.suppressed': {
    ...base,
    category: 'person',
    codec: t.partial({ ...person, reason: orNull(text), request_id: orNull(id), by: orNull(text) }),
  },
  /** Names nobody: `erased` are identity ids, whose values and keys are destroyed as this is written. */
  'person.erased': {
    ...nobody,
    category: 'person',
    record: 'certificate',
    codec: shape(
      { certificate: id, erased: t.array(id) },
      { round: orNull(integer), reason: orNull(longText), request_id: orNull(id), by: orNull(text) },
    ),
  },
  'event.quarantined': {
    ...nobody,
    category: 'quarantine',
    record: 'quarantine_id',
    codec: shape(
      { quarantine_id: id, hash: text, reason: text, source: text, size_bytes: integer },
      { event_type: orNull(text), event_id_hash: orNull(text), message: orNull(text) },
    ),
  },
  'event.resubmitted': {
    ...nobody,
    category: 'quarantine',
    record: 'quarantine_id',
    codec: shape({ quarantine_id: id, position: integer }, { by: orNull(text) }),
  },
  'conflict.resolved': {
    ...base,
    category: 'conflict',
    about,
    codec: shape({ field: text, steward: text }, { ...decision, conflict_id: orNull(id) }),
  },
  'field.locked': field,
  'field.unlocked': field,
  'projection.switched': {
    ...nobody,
    category: 'projection',
    record: 'projection',
    codec: shape(
      { projection: id, to: text },
      { from: orNull(text), digest: orNull(text), by: orNull(text) },
    ),
  },
  'clock.advanced': { ...nobody, category: 'clock', codec: t.partial({}) },
} as const satisfies Readonly<Record<string, EventDefinition>>
