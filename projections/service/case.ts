import type { EventOf } from '../../engine/events/catalogue.ts'
import { namespaceOf } from '../../engine/events/identity.ts'
import type { Configuration, Projection } from '../../engine/projector/projection.ts'
import { count } from '../../engine/reducers/counting.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import type { GovernedState, GovernedWrites } from '../../engine/reducers/governed.ts'
import { latest } from '../../engine/reducers/latest.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import {
  type DecisionType,
  governedFields,
  RECORD_WINDOW_MS,
  type RecordDeclaration,
  recordFold,
} from '../governed.ts'
import { rankingFrom } from '../ranking.ts'
import { recordView } from '../record-view.ts'
import { explainColumns, rowOf } from '../row.ts'
import { identityIn, instantAt, leadingOf, textAt } from '../values.ts'

type Phase = 'open' | 'waiting' | 'resolved' | 'closed'

const rules = {
  case_id: latest<string>(),
  subject: latest<string>(),
  person: latest<string>(),
  account: latest<string>(),
  status: latest<string>(),
  phase: latest<Phase>(),
  priority: latest<string>(),
  impact: latest<string>(),
  urgency: latest<string>(),
  type: latest<string>(),
  category: latest<string>(),
  subcategory: latest<string>(),
  channel: latest<string>(),
  queue: latest<string>(),
  owner: latest<string>(),
  product_id: latest<string>(),
  resolution: latest<string>(),
  due_at: latest<number | ''>(),
  sla_met: latest<boolean>(),
  opened_at: min(),
  first_responded_at: min(),
  resolved_at: latest<number | ''>(),
  closed_at: latest<number | ''>(),
  escalated_at: min(),
  /** Of cases whose sender states no counts. */
  reopened: count(),
  assigned: count(),
  stated_reopenings: max(),
  stated_reassignments: max(),
  updated_at: max(),
}

type State = GovernedState<typeof rules>
type Writes = GovernedWrites<typeof rules>

const caseFields = governedFields({
  view: 'case',
  rules,
  stewarded: {
    subject: 'text',
    priority: 'text',
    impact: 'text',
    urgency: 'text',
    type: 'text',
    category: 'text',
    subcategory: 'text',
    channel: 'text',
    queue: 'text',
    owner: 'text',
    product_id: 'text',
    resolution: 'text',
    due_at: 'instant',
  },
  windowMs: RECORD_WINDOW_MS,
})

const HANDLES = [
  'case.opened',
  'case.updated',
  'case.assigned',
  'case.escalated',
  'case.responded',
  'case.waiting',
  'case.resolved',
  'case.reopened',
  'case.closed',
] as const

type CaseEvent = EventOf<(typeof HANDLES)[number]>

const columns = {
  case_id: { type: 'text', about: 'Id in the sending system.' },
  subject: { type: 'text', about: 'What it is about.' },
  person: { type: 'identity', about: 'Who asked.' },
  account: { type: 'identity', about: 'Company that the case is for.' },
  status: { type: 'text', about: 'As the sending system names it.' },
  phase: { type: 'text', about: '`open`, `waiting`, `resolved` or `closed`.' },
  priority: { type: 'text', about: 'Priority, as sent.' },
  impact: { type: 'text', about: 'How much is affected, as sent.' },
  urgency: { type: 'text', about: 'How soon it is needed, as sent.' },
  type: { type: 'text', about: 'Kind of case.' },
  category: { type: 'text', about: 'Category.' },
  subcategory: { type: 'text', about: 'Category within the category.' },
  channel: { type: 'text', about: 'How it came in.' },
  queue: { type: 'text', about: 'Group that works on it.' },
  owner: { type: 'text', about: 'Who works on it.' },
  product_id: { type: 'text', about: 'Product that it is about.' },
  resolution: { type: 'text', about: 'How it was solved.' },
  due_at: { type: 'instant', about: 'When it should be solved.' },
  sla_met: { type: 'boolean', about: 'Whether the service level was kept, as the sending system says.' },
  opened_at: { type: 'instant', about: 'When it was opened.' },
  first_responded_at: { type: 'instant', about: 'When it was first answered.' },
  resolved_at: { type: 'instant', about: 'When it was solved; none while it is reopened.' },
  closed_at: { type: 'instant', about: 'When it was closed; none while it is reopened.' },
  resolve_seconds: { type: 'integer', about: 'Seconds from opening to solution.' },
  escalated: { type: 'boolean', about: 'Whether it was ever escalated.' },
  reopenings: { type: 'integer', about: 'How often it was reopened.' },
  reassignments: { type: 'integer', about: 'How often it went from one group or person to another.' },
  updated_at: { type: 'instant', about: 'Time of its newest event.' },
} as const satisfies Readonly<Record<string, Column>>

export const caseRecord: RecordDeclaration<typeof rules, (typeof HANDLES)[number]> = {
  fields: caseFields,
  columns,
  handles: HANDLES,
  presence: ['case_id', 'opened_at', 'updated_at'],
  keys: (event) => [event.data.case_id],
  writes: writesOf,
}

/**
 * Cases, tickets and incidents. Each field is its newest write by event time; help desks that record minutes say by
 * `sequence` which of one minute's writes came last.
 */
export const serviceCase: Projection<State, (typeof HANDLES)[number] | DecisionType> = recordView(
  caseRecord,
  (record) => ({
    name: 'case',
    version: 3,
    ...recordFold(record),
    explain: (state, config) => explainColumns(record.columns, explained(record.fields, state, config)),
    table: {
      grain: 'record',
      columns: record.columns,
      indexes: [['status', 'priority'], ['owner', 'phase'], ['queue', 'phase'], ['person'], ['opened_at']],
      search: ['case_id', 'subject'],
      rows(state, config) {
        const values = record.fields.in(config).values(state, rankingFrom(config))
        if (values.updated_at === undefined) return oneRow(undefined)
        const { opened_at, resolved_at, escalated_at, reopened = 0, assigned = 0 } = values
        const solved = typeof opened_at === 'number' && typeof resolved_at === 'number'
        return oneRow(
          rowOf(record.columns, {
            ...values,
            resolve_seconds: solved ? Math.floor((resolved_at - opened_at) / 1000) : null,
            escalated: typeof escalated_at === 'number',
            reopenings: values.stated_reopenings ?? reopened,
            reassignments: values.stated_reassignments ?? Math.max(0, assigned - 1),
          }),
        )
      },
    },
  }),
)

/** The counts are left out where they are counted, not stated. */
function explained(fields: typeof caseFields, state: State, config: Configuration) {
  const { stated_reopenings, stated_reassignments, ...others } = fields
    .in(config)
    .explain(state, rankingFrom(config))
  return { ...others, reopenings: stated_reopenings, reassignments: stated_reassignments }
}

function writesOf(event: CaseEvent): Writes {
  const { data, time } = event
  const status = textAt(event, 'status')
  const step = stepOf(event)
  const phase = phaseOf(status) ?? step.phase
  const leading = leadingOf(event)
  const isPerson = leading !== undefined && namespaceOf(leading.namespace).kind === 'person'
  return {
    ...described(event),
    ...step,
    ...timesOf(event, phase),
    case_id: data.case_id,
    person: isPerson ? leading.id : undefined,
    account: identityIn(event, 'account'),
    status: status ?? step.status,
    phase,
    sla_met: data.sla_met,
    stated_reopenings: data.reopenings,
    stated_reassignments: data.reassignments,
    updated_at: time,
  }
}

function described(event: CaseEvent): Writes {
  return {
    subject: textAt(event, 'subject'),
    priority: textAt(event, 'priority'),
    impact: textAt(event, 'impact'),
    urgency: textAt(event, 'urgency'),
    type: textAt(event, 'type'),
    category: textAt(event, 'category'),
    subcategory: textAt(event, 'subcategory'),
    channel: textAt(event, 'channel'),
    queue: textAt(event, 'queue'),
    owner: textAt(event, 'owner'),
    product_id: textAt(event, 'product_id'),
    resolution: textAt(event, 'resolution'),
    due_at: instantAt(event, 'due_at'),
  }
}

/** What the type alone says, for senders that state no status. */
function stepOf(event: CaseEvent): Writes & { readonly phase?: Phase | undefined } {
  switch (event.type) {
    case 'case.opened':
      return { phase: 'open', status: 'new' }
    case 'case.waiting':
      return { phase: 'waiting', status: 'waiting' }
    case 'case.resolved':
      return { phase: 'resolved', status: 'resolved' }
    case 'case.closed':
      return { phase: 'closed', status: 'closed' }
    case 'case.reopened':
      return { phase: 'open', status: 'open', reopened: 1 }
    case 'case.assigned':
      return { assigned: 1 }
    case 'case.escalated':
      return { escalated_at: event.time }
    case 'case.responded':
      return { first_responded_at: event.time }
    case 'case.updated':
      return {}
  }
}

/** A stated instant beats the event's own; going back to work takes the end of the case back. */
function timesOf(event: CaseEvent, phase: Phase | undefined): Writes {
  const { type, time } = event
  const opened = instantAt(event, 'opened_at')
  const [resolved, closed] = [instantAt(event, 'resolved_at'), instantAt(event, 'closed_at')]
  const opened_at = typeof opened === 'number' ? opened : type === 'case.opened' ? time : undefined
  switch (phase) {
    case 'open':
    case 'waiting':
      return { opened_at, resolved_at: null, closed_at: null }
    case 'resolved':
      return {
        opened_at,
        resolved_at: resolved ?? (type === 'case.resolved' ? time : undefined),
        closed_at: null,
      }
    case 'closed':
      return {
        opened_at,
        resolved_at: resolved,
        closed_at: closed ?? (type === 'case.closed' ? time : undefined),
      }
    case undefined:
      return { opened_at, resolved_at: resolved, closed_at: closed }
  }
}

const PHASES: ReadonlyMap<string, Phase> = new Map([
  ['new', 'open'],
  ['open', 'open'],
  ['active', 'open'],
  ['assigned', 'open'],
  ['in progress', 'open'],
  ['in_progress', 'open'],
  ['reopened', 'open'],
  ['pending', 'waiting'],
  ['on hold', 'waiting'],
  ['on_hold', 'waiting'],
  ['resolved', 'resolved'],
  ['solved', 'resolved'],
  ['closed', 'closed'],
  ['cancelled', 'closed'],
])

/** The phase that help desks commonly mean by the word; undefined for words of their own. */
function phaseOf(status: string | null | undefined): Phase | undefined {
  const word = (status ?? '').trim().toLowerCase()
  return (
    PHASES.get(word) ?? (word.startsWith('awaiting') || word.startsWith('waiting') ? 'waiting' : undefined)
  )
}
