import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'

const traits = t.UnknownRecord

/** What people do on sites and in apps (Segment's spec). */
export const behaviour = {
  'cdp.identify': {
    schema: 1,
    codec: t.partial({
      userId: t.string,
      anonymousId: t.string,
      traits: personal(traits),
    }),
    category: 'profile',
    retention: 'profile',
    identities: [
      ['user', 'userId'],
      ['email', 'traits.email'],
      ['phone', 'traits.phone'],
      ['anonymous', 'anonymousId'],
    ],
    normalise: { 'traits.email': 'email', 'traits.phone': 'phone' },
  },
} as const satisfies Readonly<Record<string, EventDefinition>>
