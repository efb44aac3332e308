/**
 * Theorem: where two systems contradict each other, the conflict is shown until a steward decides; a dry run tells what the
 * decision would do and appends nothing; the decision itself does just that, as an event, and is explained.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'
import { disagreement, ERP_PHONE, JANE, orders, signsIn, steward, WEB_PHONE } from './jane.ts'

let world: LivingWorld
const { conflicts, phone, resolve } = steward(() => world)
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

describe('a conflict about a phone number', () => {
  test('is shown with both claims, the winner and the rule', async () => {
    await world.send(...disagreement)
    const [only, ...others] = await conflicts()
    expect(others).toEqual([])
    expect(only).toMatchObject({
      field: 'phone',
      status: 'open',
      rule: 'rankedUnlessBlank',
      winner: { value: ERP_PHONE, source: 'erp' },
      candidates: [
        { value: WEB_PHONE, source: 'web' },
        { value: ERP_PHONE, source: 'erp' },
      ],
      since: '2025-06-11T10:00:00.000Z',
    })
    expect((await world.read('/v1/conflicts?status=open&field=phone&sort=-since')).body.data).toEqual([only])
    expect((await world.read('/v1/conflicts?status=resolved')).body.data).toEqual([])
  })

  test('a dry run tells what a resolution would do, and appends nothing', async () => {
    await world.send(...disagreement)
    const before = world.engine.log.head()
    const [{ id }] = await conflicts()
    const answer = await resolve(`/v1/conflicts/${id}/phone/resolution?dryRun=true`, {
      value: '+44 20 7946 0999',
    })
    expect(answer.status).toBe(200)
    expect(answer.data).toMatchObject({
      dryRun: true,
      event: { position: null },
      from: { value: ERP_PHONE, conflict: { status: 'open' } },
      to: { value: WEB_PHONE, conflict: { status: 'resolved', decided_by: 'Kim' } },
      changes: [{ column: 'phone', from: ERP_PHONE, to: WEB_PHONE }],
    })
    expect(world.engine.log.head()).toEqual(before)
    expect((await phone()).value).toBe(ERP_PHONE)
  })

  test('the resolution does what the dry run told; a later write competes again', async () => {
    await world.send(...disagreement)
    const path = `/v1/conflicts/${encodeURIComponent(JANE)}/phone/resolution`
    const tried = await resolve(`${path}?dryRun=true`, { value: WEB_PHONE })
    const done = await resolve(path, { value: WEB_PHONE })
    await world.settled()
    expect(done.data.to.value).toBe(tried.data.to.value)
    expect(await phone()).toMatchObject({
      value: WEB_PHONE,
      rule: 'resolved',
      winners: [{ value: WEB_PHONE, source: 'steward' }],
      overruled: [{ value: WEB_PHONE }, { value: ERP_PHONE }],
      decided: { act: 'resolved', by: 'Kim', reason: null, until: null },
    })
    expect(await conflicts()).toMatchObject([{ status: 'resolved', rule: 'resolved', decided_by: 'Kim' }])
    world.engine.clock.advance(60_000)
    const later = new Date(world.engine.clock.nowMs() - 1_000).toISOString()
    // The web is trusted less than the ERP, whose place the decision took.
    await world.send(signsIn('w2', later, { phone: '+442079460123' }))
    expect((await phone()).value).toBe(WEB_PHONE)
    expect(await conflicts()).toMatchObject([{ status: 'open' }])
    await world.send(orders('o2', later, ERP_PHONE))
    expect(await phone()).toMatchObject({
      value: ERP_PHONE,
      rule: 'rankedUnlessBlank',
      priorities: { erp: 1, web: 2 },
    })
  })

  test('without a value the rule stands, and the conflict is settled', async () => {
    await world.send(...disagreement)
    await resolve(`/v1/conflicts/${encodeURIComponent(JANE)}/phone/resolution`, {})
    await world.settled()
    expect((await phone()).value).toBe(ERP_PHONE)
    expect(await conflicts()).toMatchObject([{ status: 'resolved' }])
  })

  test('a lock holds against later writes, and ends when it expires', async () => {
    await world.send(...disagreement)
    const now = world.engine.clock.nowMs()
    const until = new Date(now + 60_000).toISOString()
    const path = `/v1/profiles/${encodeURIComponent(JANE)}/locks`
    const locked = await resolve(path, { field: 'phone', value: WEB_PHONE, expires_at: until })
    expect(locked.data.to).toMatchObject({ value: WEB_PHONE, explanation: { rule: 'locked' } })
    await world.send(orders('o2', new Date(now + 1_000).toISOString(), ERP_PHONE))
    expect(await phone()).toMatchObject({ value: WEB_PHONE, decided: { act: 'locked', until } })
    world.engine.clock.advance(61_000)
    await world.send(signsIn('w9', new Date(now + 60_500).toISOString(), { plan: 'silver' }))
    expect((await phone()).value).toBe(ERP_PHONE)
  })

  test('decisions come after the claims that they are about, where a source’s clock is ahead', async () => {
    await world.send(...disagreement)
    const ahead = new Date(world.engine.clock.nowMs() + 300_000).toISOString()
    await world.send(orders('o2', ahead, '+442079460777'))
    const path = `/v1/conflicts/${encodeURIComponent(JANE)}/phone/resolution`
    expect((await resolve(path, { value: WEB_PHONE })).data.to.value).toBe(WEB_PHONE)
    await world.settled()
    expect((await phone()).value).toBe(WEB_PHONE)
    expect(await conflicts()).toMatchObject([{ status: 'resolved' }])
    const locks = `/v1/profiles/${encodeURIComponent(JANE)}/locks`
    for (const [body, value] of [
      [{ value: '+442079460778' }, '+442079460778'],
      [{ act: 'unlock' }, WEB_PHONE],
      [{ value: '+442079460779' }, '+442079460779'],
    ] as const) {
      expect((await resolve(locks, { field: 'phone', ...body })).data.to.value).toBe(value)
      await world.settled()
      expect((await phone()).value).toBe(value)
    }
  })

  test('a lock without a value holds what stands in the log, which the views may be behind', async () => {
    await world.send(...disagreement)
    const path = `/v1/profiles/${encodeURIComponent(JANE)}/locks`
    for (const value of ['+442079460771', '+442079460772', '+442079460773']) {
      await resolve(path, { field: 'phone', value })
      expect((await resolve(path, { field: 'phone' })).data.to.value).toBe(value)
    }
  })

  test('a lock without a value holds what stands; unlocking lets the rule decide', async () => {
    await world.send(...disagreement)
    const path = `/v1/profiles/${encodeURIComponent(JANE)}/locks`
    await resolve(path, { field: 'phone' })
    world.engine.clock.advance(60_000)
    const later = new Date(world.engine.clock.nowMs()).toISOString()
    await world.send(orders('o2', later, '+442079460777'))
    expect((await phone()).value).toBe(ERP_PHONE)
    const lifted = await resolve(`${path}?dryRun=true`, { field: 'phone', act: 'unlock' })
    expect(lifted.data.to.value).toBe('+442079460777')
    await resolve(path, { field: 'phone', act: 'unlock' })
    await world.settled()
    expect((await phone()).value).toBe('+442079460777')
  })

  test('a trait can be decided too', async () => {
    await world.send(...disagreement)
    await resolve(`/v1/profiles/${encodeURIComponent(JANE)}/locks`, { field: 'traits.plan', value: 'black' })
    await world.settled()
    const { body } = await world.read(`/v1/profiles/${encodeURIComponent(JANE)}?explain=true`)
    expect(body.data.traits).toEqual({ plan: 'black' })
    expect(body.explain['traits.plan']).toMatchObject({ rule: 'locked', overruled: [{ value: 'gold' }] })
  })
})

describe('who has seen what', () => {
  test('a write that had seen the other is no conflict', async () => {
    await world.send(...disagreement.slice(0, 3))
    const seen = world.engine.log.head().position
    await world.send(
      signsIn(
        'w1',
        '2025-06-11T10:00:00Z',
        { email: 'jane@example.com', phone: WEB_PHONE },
        { basedon: seen },
      ),
    )
    expect(await conflicts()).toEqual([])
  })

  test('one that says it had not is, however far apart', async () => {
    await world.send(...disagreement.slice(0, 3))
    const late = signsIn('w1', '2026-02-28T10:00:00Z', { email: 'jane@example.com', phone: WEB_PHONE })
    await world.send({ ...late, basedon: 1 })
    expect(await conflicts()).toMatchObject([{ field: 'phone', status: 'open' }])
  })

  test('an echo writes nothing, and is still heard of', async () => {
    await world.send(...disagreement.slice(0, 3))
    await world.send(
      signsIn(
        'w1',
        '2025-06-11T10:00:00Z',
        { email: 'jane@example.com', phone: WEB_PHONE },
        { origin: 'erp' },
      ),
    )
    expect(await conflicts()).toEqual([])
    const { body } = await world.read(`/v1/profiles/${encodeURIComponent(JANE)}`)
    expect(body.data).toMatchObject({ phone: ERP_PHONE, sources: ['erp', 'web'] })
  })
})

describe('records', () => {
  const deal = (id: string, from: string, time: string, data: object) => ({
    ...{ id, source: from, type: 'opportunity.updated', time, data: { opportunity_id: 'D1', ...data } },
  })

  test('a deal’s amount is contested, tried and resolved', async () => {
    await world.send(
      deal('d1', 'crm', '2025-03-01T10:00:00Z', { amount: '100.00', currency: 'EUR' }),
      deal('d2', 'erp', '2025-03-02T10:00:00Z', { amount: '250.50', currency: 'EUR' }),
    )
    const [found] = (await world.read('/v1/record-conflicts')).body.data
    expect(found).toMatchObject({
      view: 'opportunity',
      record: 'D1',
      field: 'amount',
      winner: { value: '250.50' },
    })
    const path = '/v1/record-conflicts/opportunity/D1/amount/resolution'
    expect((await resolve(`${path}?dryRun=true`, { value: '100' })).data.changes).toEqual([
      { column: 'amount', from: '250.50', to: '100.00' },
      { column: 'forecast_amount', from: '250.50', to: '100.00' },
    ])
    await resolve(path, { value: '100' })
    await world.settled()
    const { body } = await world.read('/v1/opportunities/D1?explain=true')
    expect(body.data.amount).toBe('100.00')
    expect(body.explain.amount).toMatchObject({ rule: 'resolved', decided: { by: 'Kim' } })
  })

  test('a deal’s decision is sealed under who leads the event behind it, so that an erasure takes it', async () => {
    const names = { identities: ['email:jane@example.com'] }
    await world.send(deal('d1', 'crm', '2025-03-01T10:00:00Z', { amount: '100.00', currency: 'EUR' }), {
      ...deal('d2', 'crm', '2025-03-02T10:00:00Z', { name: 'Jane’s deal' }),
      ...names,
    })
    for (const [field, value] of [
      ['name', undefined],
      ['owner', 'Jane Doe'],
    ] as const) {
      await resolve('/v1/records/opportunity/D1/locks', { field, value })
      const event = await world.engine.log.at(world.engine.log.head().position)
      expect(event).toMatchObject({ type: 'field.locked', identities: [{ namespace: 'email' }] })
      expect(JSON.stringify(event?.data)).not.toContain('Jane')
    }
    await world.settled()
    const { body } = await world.read('/v1/opportunities/D1')
    expect(body.data).toMatchObject({ name: 'Jane’s deal', owner: 'Jane Doe' })
  })

  test('a contact’s decision is sealed under the contact, so that an erasure takes it', async () => {
    await world.send({
      ...{ id: 'c1', source: 'crm', type: 'contact.created', time: '2025-03-01T10:00:00Z' },
      data: { contact_id: 'C1', phone: ERP_PHONE },
    })
    await resolve('/v1/records/contact/C1/locks', { field: 'phone', value: WEB_PHONE })
    await world.settled()
    expect((await world.read('/v1/contacts/C1')).body.data.phone).toBe(WEB_PHONE)
    const { position } = world.engine.log.head()
    const event = await world.engine.log.at(position)
    expect(event).toMatchObject({ type: 'field.locked', identities: [{ namespace: 'contact' }] })
    expect(JSON.stringify(event?.data)).not.toContain(WEB_PHONE)
  })
})
