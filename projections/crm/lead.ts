import type { EventOf } from '../../engine/events/catalogue.ts'
import type { Configuration, Projection } from '../../engine/projector/projection.ts'
import { newer, preferred, UNIFORM } from '../../engine/reducers/candidate.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import { forwardOnly } from '../../engine/reducers/forward-only.ts'
import type { GovernedState, GovernedWrites } from '../../engine/reducers/governed.ts'
import { latest } from '../../engine/reducers/latest.ts'
import type { Candidate } from '../../engine/reducers/rule.ts'
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
import { identityIn, instantAt, referenceAt, textAt } from '../values.ts'
import { LIFECYCLE, lifecycleOf, qualifiedStage } from '../vocabulary.ts'

const rules = {
  lead_id: latest<string>(),
  name: latest<string>(),
  email: latest<string>(),
  phone: latest<string>(),
  company: latest<string>(),
  title: latest<string>(),
  industry: latest<string>(),
  country: latest<string>(),
  origin: latest<string>(),
  landing_page: latest<string>(),
  campaign_id: latest<string>(),
  owner: latest<string>(),
  // A status for each kind of step: of steps at one instant the one further down counts.
  stated: latest<string>(),
  assigned: latest<string>(),
  accepted: latest<string>(),
  returned: latest<string>(),
  closed: latest<string>(),
  lifecycle: forwardOnly(LIFECYCLE),
  reason: latest<string>(),
  respond_by: latest<number | ''>(),
  first_responded_at: min(),
  outcome: latest<string>(),
  converted_at: min(),
  opportunity_id: latest<string>(),
  account: latest<string>(),
  contact: latest<string>(),
  business_segment: latest<string>(),
  business_type: latest<string>(),
  lead_type: latest<string>(),
  created_at: min(),
  updated_at: max(),
}

type Writes = GovernedWrites<typeof rules>

const leadFields = governedFields({
  view: 'lead',
  rules,
  stewarded: {
    name: 'text',
    email: 'text',
    phone: 'text',
    company: 'text',
    title: 'text',
    industry: 'text',
    country: 'text',
    origin: 'text',
    landing_page: 'text',
    campaign_id: 'text',
    owner: 'text',
    account: 'identity',
    contact: 'identity',
    business_segment: 'text',
    business_type: 'text',
    lead_type: 'text',
    lifecycle: 'text',
  },
  windowMs: RECORD_WINDOW_MS,
})
/** Fields that follow no decision. */
const kept = leadFields.base

interface State {
  readonly fields: GovernedState<typeof rules>
  /** Latest deadline that the clock has passed (ms); 0: none yet. */
  readonly ticked: number
}

const HANDLES = [
  'lead.created',
  'lead.updated',
  'lead.lifecycle_changed',
  'lead.lifecycle_regressed',
  'lead.qualified',
  'lead.assigned',
  'lead.accepted',
  'lead.rejected',
  'lead.first_responded',
  'lead.escalated',
  'lead.recalled',
  'lead.recycled',
  'lead.disqualified',
  'lead.converted',
] as const

type LeadEvent = EventOf<(typeof HANDLES)[number]>

const columns = {
  lead_id: { type: 'text', about: 'Id in the sending system.' },
  name: { type: 'text', about: 'Name of the person.' },
  email: { type: 'text', about: 'E-mail address in lower case.' },
  phone: { type: 'text', about: 'Phone number, E.164 where it could be told.' },
  company: { type: 'text', about: 'Company, as the person named it.' },
  title: { type: 'text', about: 'Job title.' },
  industry: { type: 'text', about: 'Industry.' },
  country: { type: 'text', about: 'ISO 3166-1 code, or the country as sent.' },
  origin: { type: 'text', about: 'Marketing channel that the lead came by.' },
  landing_page: { type: 'text', about: 'Page on which it came in.' },
  campaign_id: { type: 'text', about: 'Campaign that it came from.' },
  owner: { type: 'text', about: 'Who works it; none once it was given back.' },
  status: { type: 'text', about: 'new, assigned, working, nurture, recycled, converted or disqualified.' },
  lifecycle: { type: 'text', about: 'How far it has come; never goes back but by a regress.' },
  reason: { type: 'text', about: 'Why it was rejected, recalled, recycled or disqualified.' },
  respond_by: { type: 'instant', about: 'When the first response is due, by the newest assignment.' },
  first_responded_at: {
    type: 'instant',
    about: 'First response that reached the lead; one that bounced did not.',
  },
  outcome: { type: 'text', about: 'What came of the newest response.' },
  sla: { type: 'text', about: '`first_response_due`, `fulfilled` or `failed`.' },
  converted_at: { type: 'instant', about: 'When it became a deal.' },
  opportunity_id: { type: 'text', about: 'The deal.' },
  account: { type: 'identity', about: 'The company.' },
  contact: { type: 'identity', about: 'The contact that it became.' },
  business_segment: { type: 'text', about: 'Segment, as noted at conversion.' },
  business_type: { type: 'text', about: 'Kind of business, as noted at conversion.' },
  lead_type: { type: 'text', about: 'Kind of lead, as noted at conversion.' },
  created_at: { type: 'instant', about: 'When it was created.' },
  updated_at: { type: 'instant', about: 'Time of its newest event.' },
} as const satisfies Readonly<Record<string, Column>>

export const leadRecord: RecordDeclaration<typeof rules, (typeof HANDLES)[number]> = {
  fields: leadFields,
  columns,
  handles: HANDLES,
  namespace: 'lead',
  presence: ['lead_id', 'created_at', 'updated_at'],
  keys(event) {
    const id = identityIn(event, 'lead')
    return id === undefined ? [] : [id]
  },
  writes: writesOf,
}

/** Leads from first contact to hand-off, with the deadline of the first response. */
export const lead: Projection<State, (typeof HANDLES)[number] | DecisionType> = recordView(
  leadRecord,
  (record) => {
    const fold = recordFold(record)
    const nothing: State = { fields: record.fields.base.initial, ticked: 0 }
    return {
      name: 'lead',
      version: 3,
      handles: fold.handles,
      keys: fold.keys,
      initial: () => nothing,
      reduce: (state, event, config) => withFields(state, fold.reduce(state.fields, event, config)),
      join(a, b, config) {
        const joined = withFields(a, fold.join(a.fields, b.fields, config))
        return b.ticked > joined.ticked ? { ...joined, ticked: b.ticked } : joined
      },
      due(state) {
        const respondBy = respondByOf(state)
        const isAwaited = respondBy !== undefined && slaOf(state) === 'first_response_due'
        const expiry = fold.due(state.fields)
        if (!isAwaited) return expiry
        return expiry === undefined ? respondBy : Math.min(respondBy, expiry)
      },
      tick(state, tick) {
        const next = withFields(state, fold.tick(state.fields, tick))
        return tick.at > next.ticked ? { ...next, ticked: tick.at } : next
      },
      explain(state, config) {
        const explained = record.fields.in(config).explain(state.fields, rankingFrom(config))
        const due = kept.get(state.fields, 'respond_by')
        const respond_by = due === undefined ? undefined : kept.rules.respond_by.explain(due, UNIFORM)
        const steps = stepsOf(state, config)
        const winner = newestStep(steps)
        if (winner === undefined) return explainColumns(record.columns, { ...explained, respond_by })
        const overruled = steps.filter((each) => each !== winner)
        const status = { value: winner[0], rule: 'latest', winners: [winner], overruled }
        return explainColumns(record.columns, { ...explained, respond_by, status })
      },
      table: {
        grain: 'record',
        columns: record.columns,
        indexes: [['status'], ['owner', 'status'], ['origin'], ['sla', 'respond_by'], ['created_at']],
        search: ['name', 'email', 'company', 'phone', 'lead_id'],
        rows(state, config) {
          const values = record.fields.in(config).values(state.fields, rankingFrom(config))
          if (values.updated_at === undefined) return oneRow(undefined)
          const status = newestStep(stepsOf(state, config))?.[0] ?? 'new'
          const respond_by = respondByOf(state) ?? null
          return oneRow(rowOf(record.columns, { ...values, status, respond_by, sla: slaOf(state) }))
        },
      },
    }
  },
)

function withFields(state: State, next: State['fields']): State {
  return next === state.fields ? state : { fields: next, ticked: state.ticked }
}

function writesOf(event: LeadEvent): Writes {
  const seen: Writes = { ...personOf(event), updated_at: event.time }
  const reason = textAt(event, 'reason')
  switch (event.type) {
    case 'lead.created':
      return { ...seen, ...described(event), lifecycle: { stage: 'lead' }, created_at: event.time }
    case 'lead.updated':
      return { ...seen, ...described(event) }
    case 'lead.lifecycle_changed':
      return { ...seen, lifecycle: { stage: lifecycleOf(event.data.to) } }
    case 'lead.lifecycle_regressed':
      return { ...seen, lifecycle: { regress: lifecycleOf(event.data.to) } }
    case 'lead.qualified': {
      const lifecycle = { stage: qualifiedStage(event.data.qualification) }
      return { ...seen, ...cameBy(event), lifecycle }
    }
    case 'lead.assigned': {
      const respond_by = instantAt(event, 'respond_by') ?? null
      return { ...seen, owner: event.data.owner, assigned: 'assigned', respond_by }
    }
    case 'lead.accepted':
      return { ...seen, owner: textAt(event, 'owner') || undefined, accepted: 'working' }
    case 'lead.rejected':
      return { ...seen, owner: null, returned: 'recycled', reason }
    case 'lead.recalled':
      return { ...seen, owner: null, returned: 'new', reason }
    case 'lead.recycled':
      return { ...seen, owner: null, returned: 'recycled', reason }
    case 'lead.first_responded': {
      const reached = event.data.outcome !== 'bounced'
      const first_responded_at = reached ? event.time : undefined
      return { ...seen, outcome: event.data.outcome, first_responded_at }
    }
    case 'lead.escalated':
      return seen
    case 'lead.disqualified':
      return { ...seen, closed: 'disqualified', reason }
    case 'lead.converted':
      return { ...seen, ...convertedInto(event), closed: 'converted', converted_at: event.time }
  }
}

function personOf(event: LeadEvent): Writes {
  return {
    lead_id: textAt(event, 'lead_id'),
    name: textAt(event, 'name'),
    email: textAt(event, 'email'),
    phone: textAt(event, 'phone'),
    company: textAt(event, 'company'),
    account: referenceAt(event, 'account_id', 'account'),
  }
}

function described(event: LeadEvent): Writes {
  return {
    ...cameBy(event),
    title: textAt(event, 'title'),
    industry: textAt(event, 'industry'),
    country: textAt(event, 'country'),
    campaign_id: textAt(event, 'campaign_id'),
    owner: textAt(event, 'owner'),
    stated: textAt(event, 'status') || undefined,
  }
}

function cameBy(event: LeadEvent): Writes {
  return { origin: textAt(event, 'origin'), landing_page: textAt(event, 'landing_page') }
}

function convertedInto(event: LeadEvent): Writes {
  return {
    lifecycle: { stage: 'opportunity' },
    opportunity_id: textAt(event, 'opportunity_id'),
    contact: referenceAt(event, 'contact_id', 'contact'),
    owner: textAt(event, 'owner') || undefined,
    business_segment: textAt(event, 'business_segment'),
    business_type: textAt(event, 'business_type'),
    lead_type: textAt(event, 'lead_type'),
  }
}

const STEPS = ['stated', 'assigned', 'accepted', 'returned', 'closed'] as const

/** The newest write of each kind of step, in the order of the steps. */
function stepsOf(state: State, config: Configuration): readonly Candidate<string | null>[] {
  const ranking = rankingFrom(config)
  const steps: Candidate<string | null>[] = []
  for (const step of STEPS) {
    const newest = preferred(kept.get(state.fields, step) ?? [], newer, ranking)
    if (newest !== undefined) steps.push(newest)
  }
  return steps
}

/** The newest by time, then by the sender's own sequence, then the one further down. */
function newestStep(steps: readonly Candidate<string | null>[]): Candidate<string | null> | undefined {
  let newest: Candidate<string | null> | undefined
  for (const step of steps) {
    const later =
      newest === undefined || step[1] > newest[1] || (step[1] === newest[1] && step[3] >= newest[3])
    if (later) newest = step
  }
  return newest
}

/** Sources rank alike here, because a deadline must be known without the configuration. */
function respondByOf(state: State): number | undefined {
  const respondBy = preferred(kept.get(state.fields, 'respond_by') ?? [], newer, UNIFORM)?.[0]
  return typeof respondBy === 'number' ? respondBy : undefined
}

/** Failed once the clock has passed the deadline, or a response is known that came after it. */
function slaOf(state: State): 'first_response_due' | 'fulfilled' | 'failed' | null {
  const respondBy = respondByOf(state)
  if (respondBy === undefined) return null
  const responded = kept.rules.first_responded_at.value(
    kept.get(state.fields, 'first_responded_at') ?? [],
    UNIFORM,
  )
  if (typeof responded === 'number') return responded <= respondBy ? 'fulfilled' : 'failed'
  return state.ticked >= respondBy ? 'failed' : 'first_response_due'
}
