// Theorem: in every field that may be governed, what an event leaves out, removes (null) and blanks ('') are three things: the
// old value stays, nothing is there, a blank is there; and what an echo says is none of them.
import { expect, test } from 'vitest'
import { catalogue, type EventType } from '../../engine/events/catalogue.ts'
import { projections } from '../../projections/catalog.ts'
import { GOVERNED_VIEWS } from '../../projections/governed-views.ts'
import { configuration, event, rows } from '../projections/given.ts'

type Data = Readonly<Record<string, unknown>>

/** An event that states a field of a view. */
const STATING: Readonly<Record<string, readonly [type: EventType, data: (fields: Data) => Data]>> = {
  profile: ['cdp.identify', (traits) => ({ userId: 'u1', traits })],
  account: ['account.updated', (fields) => ({ account_id: 'A1', ...fields })],
  contact: ['contact.updated', (fields) => ({ contact_id: 'C1', ...fields })],
  lead: ['lead.updated', (fields) => ({ lead_id: 'L1', ...fields })],
  opportunity: ['opportunity.updated', (fields) => ({ opportunity_id: 'O1', ...fields })],
  case: ['case.updated', (fields) => ({ case_id: 'K1', ...fields })],
  campaign: ['marketing.campaign_created', (fields) => ({ campaign_id: 'M1', ...fields })],
}

/** Fields that such an event can't state, or states as something else. */
const OTHERWISE = new Set([
  ...['profile.domain', 'profile.owner', 'profile.lifecycle'],
  ...['lead.lifecycle', 'lead.business_segment', 'lead.business_type', 'lead.lead_type'],
  'campaign.status',
])

const texts = GOVERNED_VIEWS.flatMap(({ view, fields }) =>
  [...fields].flatMap(([field, { type }]) =>
    type === 'text' && !OTHERWISE.has(`${view}.${field}`) ? [[view, field] as const] : [],
  ),
)

test('there are many', () => expect(texts.length).toBeGreaterThan(40))

test.each(texts)('%s.%s', (view, field) => {
  const projection = projections.find(({ name }) => name === view)
  const [type, data] = STATING[view] ?? []
  if (projection === undefined || type === undefined || data === undefined) throw new Error(`no ${view}`)
  const config = configuration(event('source.registered', { source: 'erp' }))
  const valueAfter = (fields: Data, origin?: string): unknown => {
    expect(catalogue[type].codec.is(data(fields)), JSON.stringify(fields)).toBe(true)
    const events = [
      event(type, data({ [field]: 'x' }), { at: '2026-03-01T12:00:00Z' }),
      event(type, data(fields), { at: '2026-03-01T13:00:00Z', origin }),
    ]
    const [row, ...others] = rows(projection, events, config)
    expect(others).toEqual([])
    return row?.[field]
  }
  const rule = GOVERNED_VIEWS.find((each) => each.view === view)?.fields.get(field)?.rule
  expect(valueAfter({})).toBe('x')
  expect(valueAfter({ [field]: null })).toBeNull()
  // By its rule a blank never beats a value here.
  const blank = rule === 'rankedUnlessBlank' ? 'x' : ''
  // A blank id names nothing: the intake refuses it.
  if (field.endsWith('_id')) expect(catalogue[type].codec.is(data({ [field]: '' }))).toBe(false)
  else expect(valueAfter({ [field]: '' })).toBe(blank)
  expect(valueAfter({ [field]: 'y' })).toBe('y')
  expect(valueAfter({ [field]: 'y' }, 'erp')).toBe('x')
  expect(valueAfter({ [field]: 'y' }, 'somewhere')).toBe('y')
})
