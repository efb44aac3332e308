import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import {
  amount,
  day,
  finite,
  id,
  instant,
  integer,
  longText,
  looseId,
  orBlank,
  orNull,
  shape,
  text,
} from '../fields.ts'
import {
  currency,
  money,
  otherPeople,
  PERSON_IDENTITIES,
  PERSON_NORMALISE,
  person,
  postalAddress,
  SPEC_IDENTITIES,
  SPEC_NORMALISE,
  specPerson,
} from './shared.ts'

const customer = { ...person, account_id: personal(orNull(id)) }

const base = {
  schema: 1,
  retention: 'service',
  identities: [...PERSON_IDENTITIES, ['account', 'account_id']],
  normalise: PERSON_NORMALISE,
} as const

const ticket = {
  ...base,
  category: 'case',
  record: 'case_id',
  normalise: {
    ...PERSON_NORMALISE,
    due_at: 'instant',
    opened_at: 'instant',
    resolved_at: 'instant',
    closed_at: 'instant',
  },
  codec: shape(
    { case_id: id },
    {
      ...customer,
      subject: personal(orNull(text)),
      description: personal(orNull(longText)),
      message: personal(orNull(longText)),
      participants: otherPeople,
      status: orNull(text),
      priority: orNull(text),
      impact: orNull(text),
      urgency: orNull(text),
      type: orNull(text),
      category: orNull(text),
      channel: orNull(text),
      queue: orNull(text),
      owner: orNull(text),
      from: orNull(text),
      to: orNull(text),
      product_id: orNull(id),
      parent_id: orNull(id),
      due_at: orBlank(instant),
      /** Where the sender knows them better than by the event's own time. */
      opened_at: orBlank(instant),
      resolved_at: orBlank(instant),
      closed_at: orBlank(instant),
      /** How often so far. */
      reassignments: integer,
      reopenings: integer,
      sla_met: orNull(t.boolean),
      subcategory: orNull(text),
      resolution: orNull(text),
      reason: orNull(text),
    },
  ),
} as const

const workOrder = {
  ...base,
  category: 'work_order',
  record: 'work_order_id',
  normalise: { ...PERSON_NORMALISE, starts_at: 'instant', ends_at: 'instant', 'parts.*.unit_price': 'money' },
  codec: shape(
    { work_order_id: id },
    {
      ...customer,
      case_id: orNull(id),
      contract_id: orNull(id),
      technician: orNull(text),
      status: orNull(text),
      priority: orNull(text),
      type: orNull(text),
      address: postalAddress,
      description: personal(orNull(longText)),
      starts_at: orBlank(instant),
      ends_at: orBlank(instant),
      parts: t.array(shape({ product_id: id, quantity: amount }, { unit_price: money })),
      first_time_fix: t.boolean,
      reason: orNull(text),
    },
  ),
} as const

const contract = {
  ...base,
  category: 'contract',
  record: 'contract_id',
  retention: 'transaction',
  normalise: { ...PERSON_NORMALISE, amount: 'money', currency: 'currency' },
  codec: shape(
    { contract_id: id },
    {
      ...customer,
      kind: orNull(text),
      product_id: orNull(id),
      starts_on: orBlank(day),
      ends_on: orBlank(day),
      amount: money,
      currency,
      interval: orNull(text),
      owner: orNull(text),
      reason: orNull(text),
    },
  ),
} as const

/** Help desk, field service, knowledge base and contracts. */
export const service = {
  'case.opened': ticket,
  'case.updated': ticket,
  'case.assigned': ticket,
  'case.escalated': ticket,
  'case.responded': ticket,
  'case.waiting': ticket,
  'case.resolved': ticket,
  'case.reopened': ticket,
  'case.closed': ticket,
  'Live Chat Conversation Started': {
    schema: 1,
    category: 'conversation',
    retention: 'service',
    identities: SPEC_IDENTITIES,
    normalise: SPEC_NORMALISE,
    codec: t.partial({
      ...specPerson,
      conversation_id: orNull(looseId),
      agent_id: orNull(looseId),
      agent_name: orNull(text),
      agent_username: orNull(text),
      message_body: personal(orNull(longText)),
    }),
  },
  'csat.submitted': {
    ...base,
    category: 'profile',
    codec: shape(
      { score: finite },
      {
        ...customer,
        case_id: orNull(id),
        scale: finite,
        survey: orNull(text),
        comment: personal(orNull(longText)),
        owner: orNull(text),
      },
    ),
  },
  'article.published': {
    ...base,
    category: 'article',
    record: 'article_id',
    identities: [],
    normalise: {},
    codec: shape(
      { article_id: id },
      {
        title: orNull(text),
        language: orNull(text),
        category: orNull(text),
        url: orNull(text),
        author: orNull(text),
        version: orNull(text),
      },
    ),
  },
  'article.viewed': {
    ...base,
    category: 'profile',
    codec: shape(
      { article_id: id },
      { ...customer, case_id: orNull(id), channel: orNull(text), helpful: t.boolean },
    ),
  },
  'work_order.created': workOrder,
  'work_order.scheduled': workOrder,
  'work_order.dispatched': workOrder,
  'work_order.completed': workOrder,
  'stock.moved': {
    ...base,
    category: 'stock',
    record: 'product_id',
    identities: [],
    normalise: {},
    codec: shape(
      { product_id: id, quantity: amount },
      {
        from_location: orNull(text),
        to_location: orNull(text),
        work_order_id: orNull(id),
        shipment_id: orNull(id),
        reason: orNull(text),
      },
    ),
  },
  'timesheet.recorded': {
    ...base,
    category: 'timesheet',
    record: 'timesheet_id',
    identities: [],
    normalise: { started_at: 'instant', ended_at: 'instant' },
    codec: shape(
      { timesheet_id: id, technician: text },
      {
        work_order_id: orNull(id),
        kind: orNull(text),
        minutes: orBlank(amount),
        started_at: orBlank(instant),
        ended_at: orBlank(instant),
        notes: personal(orNull(longText)),
      },
    ),
  },
  'contract.started': contract,
  'contract.renewed': contract,
  'contract.ended': contract,
} as const satisfies Readonly<Record<string, EventDefinition>>
