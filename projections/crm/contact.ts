import type { EventOf } from '../../engine/events/catalogue.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import type { GovernedState, GovernedWrites } from '../../engine/reducers/governed.ts'
import { latest } from '../../engine/reducers/latest.ts'
import type { Column } from '../../engine/store/table.ts'
import {
  type DecisionType,
  governedFields,
  RECORD_WINDOW_MS,
  type RecordDeclaration,
  recordFold,
} from '../governed.ts'
import { recordView, shownAsKept } from '../record-view.ts'
import { identityIn, referenceAt, textAt } from '../values.ts'

const rules = {
  contact_id: latest<string>(),
  account: latest<string>(),
  name: latest<string>(),
  first_name: latest<string>(),
  last_name: latest<string>(),
  email: latest<string>(),
  phone: latest<string>(),
  title: latest<string>(),
  country: latest<string>(),
  owner: latest<string>(),
  archived: latest<boolean>(),
  created_at: min(),
  updated_at: max(),
}

type State = GovernedState<typeof rules>
type Writes = GovernedWrites<typeof rules>

const contactFields = governedFields({
  view: 'contact',
  rules,
  stewarded: {
    account: 'identity',
    name: 'text',
    first_name: 'text',
    last_name: 'text',
    email: 'text',
    phone: 'text',
    title: 'text',
    country: 'text',
    owner: 'text',
  },
  windowMs: RECORD_WINDOW_MS,
})

const HANDLES = ['contact.created', 'contact.updated', 'contact.archived'] as const

const columns = {
  contact_id: { type: 'text', about: 'Id in the sending system.' },
  account: { type: 'identity', about: 'Company that the person works for.' },
  name: { type: 'text', about: 'Full name.' },
  first_name: { type: 'text', about: 'First name.' },
  last_name: { type: 'text', about: 'Last name.' },
  email: { type: 'text', about: 'E-mail address in lower case.' },
  phone: { type: 'text', about: 'Phone number, E.164 where it could be told.' },
  title: { type: 'text', about: 'Job title.' },
  country: { type: 'text', about: 'ISO 3166-1 code, or the country as sent.' },
  owner: { type: 'text', about: 'Who looks after the contact.' },
  archived: { type: 'boolean', about: 'True once archived, until created again.' },
  created_at: { type: 'instant', about: 'When it was created.' },
  updated_at: { type: 'instant', about: 'Time of its newest event.' },
} as const satisfies Readonly<Record<string, Column>>

export const contactRecord: RecordDeclaration<typeof rules, (typeof HANDLES)[number]> = {
  fields: contactFields,
  columns,
  handles: HANDLES,
  namespace: 'contact',
  presence: ['contact_id', 'created_at', 'updated_at'],
  keys(event) {
    const id = identityIn(event, 'contact')
    return id === undefined ? [] : [id]
  },
  writes: writesOf,
}

/** People as the sending systems keep them: each field's newest write. The golden record is the profile. */
export const contact: Projection<State, (typeof HANDLES)[number] | DecisionType> = recordView(
  contactRecord,
  (record) => ({
    name: 'contact',
    version: 3,
    ...recordFold(record),
    ...shownAsKept(record, {
      indexes: [['account'], ['owner'], ['email']],
      search: ['name', 'first_name', 'last_name', 'email', 'phone', 'contact_id'],
    }),
  }),
)

function writesOf(event: EventOf<(typeof HANDLES)[number]>): Writes {
  const seen = { contact_id: textAt(event, 'contact_id'), updated_at: event.time }
  switch (event.type) {
    case 'contact.created':
      return { ...described(event), ...seen, archived: false, created_at: event.time }
    case 'contact.updated':
      return { ...described(event), ...seen }
    case 'contact.archived':
      return { ...seen, archived: true }
  }
}

function described(event: EventOf<(typeof HANDLES)[number]>): Writes {
  return {
    account: referenceAt(event, 'account_id', 'account'),
    name: textAt(event, 'name'),
    first_name: textAt(event, 'first_name'),
    last_name: textAt(event, 'last_name'),
    email: textAt(event, 'email'),
    phone: textAt(event, 'phone'),
    title: textAt(event, 'title'),
    country: textAt(event, 'country'),
    owner: textAt(event, 'owner'),
  }
}
