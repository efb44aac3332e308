import type * as t from 'io-ts'
import { behaviour } from './catalogue/behaviour.ts'
import { commerce } from './catalogue/commerce.ts'
import { consentAndGovernance } from './catalogue/consent-and-governance.ts'
import { definitions } from './catalogue/definitions.ts'
import { handoff } from './catalogue/handoff.ts'
import { identity } from './catalogue/identity.ts'
import { marketing } from './catalogue/marketing.ts'
import { sales } from './catalogue/sales.ts'
import { service } from './catalogue/service.ts'
import type { EventDefinition } from './codec.ts'
import type { NewEvent, RecordedEvent } from './event.ts'

/** The whole catalogue: type → definition. Add an event type in the file of its domain. */
export const catalogue = {
  ...behaviour,
  ...identity,
  ...definitions,
  ...marketing,
  ...handoff,
  ...sales,
  ...service,
  ...commerce,
  ...consentAndGovernance,
} as const satisfies Readonly<Record<string, EventDefinition>>

export type EventType = keyof typeof catalogue

type DataOf<T extends EventType> = t.TypeOf<(typeof catalogue)[T]['codec']>

/** The envelope as folds see it. */
export type Envelope = Omit<RecordedEvent, 'type' | 'data' | 'sealed' | 'normaliser'>

/** An event of a known type as folds see it: upcast, unsealed as far as its keys exist, personal parts back in place. */
export type EventOf<T extends EventType> = T extends EventType
  ? Envelope & { readonly type: T; readonly data: DataOf<T> }
  : never

/** Any event, by its envelope. */
export type AnyEvent = Omit<Envelope, 'normalised'> & { readonly type: string }

export type { NewEvent }
