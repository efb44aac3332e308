import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import { looseId, orNull, shape, text } from '../fields.ts'
import {
  PERSON_IDENTITIES,
  PERSON_NORMALISE,
  person,
  SEGMENT_IDENTITIES,
  SEGMENT_NORMALISE,
  segmentPerson,
} from './shared.ts'

const record = personal(orNull(t.UnknownRecord))

const base = {
  schema: 1,
  category: 'profile',
  retention: 'behaviour',
  identities: SEGMENT_IDENTITIES,
  normalise: SEGMENT_NORMALISE,
} as const

const viewed = { ...segmentPerson, name: orNull(text), category: orNull(text), properties: record }

/** What people do on sites and in apps (Segment's spec). */
export const behaviour = {
  'cdp.identify': {
    ...base,
    retention: 'profile',
    codec: t.partial({ ...segmentPerson, traits: record }),
    identities: [['email', 'traits.email'], ['phone', 'traits.phone'], ...SEGMENT_IDENTITIES],
    normalise: { ...SEGMENT_NORMALISE, 'traits.email': 'email', 'traits.phone': 'phone' },
  },
  'cdp.track': { ...base, codec: shape({ event: text }, { ...segmentPerson, properties: record }) },
  'cdp.page': { ...base, codec: t.partial(viewed) },
  'cdp.screen': { ...base, codec: t.partial(viewed) },
  'cdp.group': {
    ...base,
    retention: 'profile',
    codec: t.partial({ ...segmentPerson, groupId: personal(looseId), traits: record }),
    identities: [...SEGMENT_IDENTITIES, ['account', 'groupId']],
  },
  /** The previous id is one that was in use before the person was known. */
  'cdp.alias': {
    ...base,
    retention: 'profile',
    codec: t.partial({ ...segmentPerson, previousId: personal(looseId) }),
    identities: [...SEGMENT_IDENTITIES, ['anonymous', 'previousId']],
  },
  'social.interacted': {
    ...base,
    codec: shape(
      { network: text, kind: text },
      {
        ...person,
        handle: personal(orNull(text)),
        url: personal(orNull(text)),
        content: personal(orNull(text)),
      },
    ),
    identities: PERSON_IDENTITIES,
    normalise: PERSON_NORMALISE,
  },
} as const satisfies Readonly<Record<string, EventDefinition>>
