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
import { amountAt, identityIn, numberAt, textAt } from '../values.ts'

const rules = {
  account_id: latest<string>(),
  name: latest<string>(),
  domain: latest<string>(),
  phone: latest<string>(),
  industry: latest<string>(),
  country: latest<string>(),
  owner: latest<string>(),
  revenue: latest<number | ''>(),
  currency: latest<string>(),
  employees: latest<number | ''>(),
  parent: latest<string>(),
  type: latest<string>(),
  archived: latest<boolean>(),
  created_at: min(),
  updated_at: max(),
}

type State = GovernedState<typeof rules>
type Writes = GovernedWrites<typeof rules>

const accountFields = governedFields({
  view: 'account',
  rules,
  stewarded: {
    name: 'text',
    domain: 'text',
    phone: 'text',
    industry: 'text',
    country: 'text',
    owner: 'text',
    revenue: 'money',
    currency: 'text',
    employees: 'real',
    parent: 'text',
    type: 'text',
  },
  windowMs: RECORD_WINDOW_MS,
})

const HANDLES = ['account.created', 'account.updated', 'account.archived'] as const

const columns = {
  account_id: { type: 'text', about: 'Id in the sending system.' },
  name: { type: 'text', about: 'Name of the company.' },
  domain: { type: 'text', about: 'Internet domain.' },
  phone: { type: 'text', about: 'Phone number, E.164 where it could be told.' },
  industry: { type: 'text', about: 'Industry.' },
  country: { type: 'text', about: 'ISO 3166-1 code, or the country as sent.' },
  owner: { type: 'text', about: 'Who looks after it.' },
  revenue: { type: 'money', about: 'Yearly revenue.' },
  currency: { type: 'text', about: 'ISO 4217 code of the revenue.' },
  employees: { type: 'real', about: 'Number of employees.' },
  parent: { type: 'text', about: 'Parent company, as the sender names it.' },
  type: { type: 'text', about: 'Kind of account: customer, partner and so on.' },
  archived: { type: 'boolean', about: 'True once archived, until created again.' },
  created_at: { type: 'instant', about: 'When it was created.' },
  updated_at: { type: 'instant', about: 'Time of its newest event.' },
} as const satisfies Readonly<Record<string, Column>>

export const accountRecord: RecordDeclaration<typeof rules, (typeof HANDLES)[number]> = {
  fields: accountFields,
  columns,
  handles: HANDLES,
  namespace: 'account',
  presence: ['account_id', 'created_at', 'updated_at'],
  keys(event) {
    const id = identityIn(event, 'account')
    return id === undefined ? [] : [id]
  },
  writes: writesOf,
}

/** Companies as the sending systems keep them: each field's newest write. The golden record is the profile. */
export const account: Projection<State, (typeof HANDLES)[number] | DecisionType> = recordView(
  accountRecord,
  (record) => ({
    name: 'account',
    version: 3,
    ...recordFold(record),
    ...shownAsKept(record, {
      indexes: [['name'], ['owner'], ['industry'], ['country']],
      search: ['name', 'domain', 'account_id'],
    }),
  }),
)

function writesOf(event: EventOf<(typeof HANDLES)[number]>): Writes {
  const seen = { account_id: textAt(event, 'account_id'), updated_at: event.time }
  switch (event.type) {
    case 'account.created':
      return { ...described(event), ...seen, archived: false, created_at: event.time }
    case 'account.updated':
      return { ...described(event), ...seen }
    case 'account.archived':
      return { ...seen, archived: true }
  }
}

function described(event: EventOf<(typeof HANDLES)[number]>): Writes {
  return {
    name: textAt(event, 'name'),
    domain: textAt(event, 'domain'),
    phone: textAt(event, 'phone'),
    industry: textAt(event, 'industry'),
    country: textAt(event, 'country'),
    owner: textAt(event, 'owner'),
    revenue: amountAt(event, 'revenue'),
    currency: textAt(event, 'currency'),
    employees: numberAt(event, 'employees'),
    parent: textAt(event, 'parent'),
    type: textAt(event, 'type'),
  }
}
