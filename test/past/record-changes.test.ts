/**
 * Theorem: of a record whose key is the sender's own, too, what changed between two moments is the difference of the two rows as
 * of them, and each cause is an event of that record, in whatever stream it stands; so for every view that has single rows, and
 * for the records of defined objects, in the columns that their readers know. What would be too much to look through is refused.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventsOfRecord } from '../../api/history/record-events.ts'
import { registry } from '../../engine/events/registry.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { projections } from '../../projections/catalog.ts'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'

let world: LivingWorld
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

const DAYS = Array.from({ length: 9 }, (_, i) => `2025-02-0${i + 1}T10:00:00Z`)
const event = (day: number, type: string, data: object, more: object = {}) => ({
  ...{ id: `${type}-${day}`, source: 'crm', type, time: DAYS[day], data, identities: ['contact:c1'] },
  ...more,
})

const HISTORY = [
  event(
    0,
    'object.defined',
    { object: 'visit', fields: [{ field: 'notes', type: 'text' }] },
    { identities: [] },
  ),
  event(1, 'case.opened', { case_id: 'K1', priority: 'low', subject: 'Broken' }),
  event(1, 'case.updated', { case_id: 'K2', priority: 'high' }),
  event(1, 'opportunity.created', { opportunity_id: 'O1', amount: '100', currency: 'EUR', owner: 'kim' }),
  event(1, 'marketing.campaign_created', { campaign_id: 'M1', name: 'Spring' }),
  event(1, 'marketing.campaign_member_status_changed', { campaign_id: 'M1', contact_id: 'c1', to: 'sent' }),
  event(1, 'visit.created', { visit_id: 'V1', notes: 'first', owner: 'kim' }),
  // Not in the record's own stream.
  event(2, 'case.assigned', { case_id: 'K1', owner: 'sam' }, { subject: 'inbox-7' }),
  event(2, 'opportunity.updated', { opportunity_id: 'O1', amount: '150' }),
  event(3, 'conflict.resolved', {
    view: 'case',
    key: 'K1',
    field: 'priority',
    value: 'high',
    steward: 'ann',
  }),
  event(3, 'marketing.campaign_launched', { campaign_id: 'M1', channel: 'mail' }),
  event(3, 'marketing.campaign_member_status_changed', {
    campaign_id: 'M1',
    contact_id: 'c1',
    to: 'responded',
  }),
  event(3, 'visit.updated', { visit_id: 'V1', notes: 'second' }),
  event(3, 'visit.created', { visit_id: 'V2', notes: 'other' }),
  event(4, 'opportunity.won', { opportunity_id: 'O1', stage: 'won' }),
  event(4, 'case.resolved', { case_id: 'K1' }),
]

interface Change {
  readonly field: string
  readonly from: unknown
  readonly to: unknown
  readonly because: readonly { readonly event?: { readonly id: string } }[]
}

type Shown = Readonly<Record<string, unknown>>

async function rowAt(path: string, query: string): Promise<Shown> {
  const { body, status } = await world.read(`${path}?${query}&wait=10000`)
  return status === 404 ? {} : body.data
}

/** By the fields of the answer: amounts and instants are shown alike in both. */
function difference(from: Shown, to: Shown): readonly unknown[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])]
    .filter((name) => name !== 'id')
    .sort()
  return names.flatMap((name) => {
    const [before, after] = [from[name] ?? null, to[name] ?? null]
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ field: name, from: before, to: after }]
  })
}

async function memberId(): Promise<string> {
  const { body } = await world.read('/v1/campaign-members')
  return String(body.data[0].id)
}

test('what changed is the difference of the rows, for every view of records', {
  timeout: 60_000,
}, async () => {
  await world.send(...HISTORY)
  const member = encodeURIComponent(await memberId())
  const paths = ['/v1/cases/K1', '/v1/opportunities/O1', '/v1/campaigns/M1', `/v1/campaign-members/${member}`]
  const moments = [
    ['received', '4', '9'],
    ['received', '9', '16'],
    ['occurred', DAYS[0], DAYS[2]],
    ['occurred', DAYS[2], DAYS[5]],
  ] as const
  for (const path of [...paths, '/v1/objects/visit/V1']) {
    let changed = 0
    for (const [by, from, to] of moments) {
      const { body, status } = await world.read(`${path}/changes?by=${by}&from=${from}&to=${to}`)
      expect(status, `${path} ${JSON.stringify(body)}`).toBe(200)
      const changes = body.data as readonly Change[]
      const sides = await Promise.all([from, to].map((asOf) => rowAt(path, `by=${by}&asOf=${asOf}`)))
      const told = changes.map(({ field, from: before, to: after }) => ({ field, from: before, to: after }))
      const sorted = told.sort((a, b) => (a.field < b.field ? -1 : 1))
      expect(sorted, `${path} ${by} ${from}`).toEqual(difference(sides[0] ?? {}, sides[1] ?? {}))
      for (const { because } of changes) expect(because.length).toBeGreaterThan(0)
      changed += changes.length
    }
    expect(changed, path).toBeGreaterThan(3)
  }
})

test('the causes are the record’s own events, a steward’s decision and one of another stream among them', async () => {
  await world.send(...HISTORY)
  const changes = (await world.read('/v1/cases/K1/changes?by=occurred')).body.data as readonly Change[]
  const causes = (field: string) =>
    changes.find((each) => each.field === field)?.because.map((each) => each.event?.id)
  expect(causes('owner')).toEqual(['case.assigned-2'])
  expect(causes('priority')).toEqual(['case.opened-1', 'conflict.resolved-3'])
  const visit = (await world.read('/v1/objects/visit/V1/changes')).body.data as readonly Change[]
  expect(visit.find(({ field }) => field === 'notes')).toMatchObject({
    to: 'second',
    because: [{ event: { id: 'visit.created-1' } }, { event: { id: 'visit.updated-3' } }],
  })
  expect(visit.map(({ field }) => field)).not.toContain('record_id')
})

test('nothing of that id, an object that isn’t defined, and what is no moment', async () => {
  await world.send(...HISTORY)
  for (const path of [
    '/v1/cases/none',
    '/v1/objects/visit/none',
    '/v1/objects/nothing/V1',
    '/v1/campaigns/K1',
  ])
    expect((await world.read(`${path}/changes`)).status, path).toBe(404)
  for (const path of ['/v1/cases/K1', '/v1/objects/visit/V1']) {
    const { status, body } = await world.read(`${path}/changes?from=soon`)
    expect([status, body.errors[0].parameter], path).toEqual([400, 'from'])
  }
})

test('more events than one answer looks through are refused', async () => {
  await world.send(...HISTORY)
  const { log, keyStore } = world.engine
  const open = (each: Parameters<typeof openEvent>[0]) => openEvent(each, keyStore, registry)
  const views = projections.filter(({ name }) => name === 'case')
  const now = { by: 'received', ...log.head() } as const
  const found = async (max: number) => eventsOfRecord({ log, openEvent: open }, views, 'K1', now, max)
  expect(await found(5)).toMatchObject({ _tag: 'Right', right: { length: 4 } })
  expect(await found(4)).toMatchObject({ _tag: 'Left', left: { what: 'events', limit: 4 } })
})
