/**
 * Theorem: a membership's status is the newest that somebody set, else the furthest that messages tell; a person has
 * answered once any event says so; a campaign is what its events last said.
 */
import { expect, test } from 'vitest'
import { campaign } from '../../projections/marketing/campaign.ts'
import { campaignMember } from '../../projections/marketing/campaign-member.ts'
import { event, idOf, ms, onlyRow, rows } from './given.ts'

const status = (to: string, at: string, data: Record<string, unknown> = {}) =>
  event(
    'marketing.campaign_member_status_changed',
    { campaign_id: 'M1', customer_id: 'h1', to, ...data },
    { at, source: 'loyalty' },
  )
const mail = (type: string, at: string) =>
  event(type, { campaign_id: 'M1', email: 'ann@example.com' }, { at })

test('set by hand: the newest status, every answer counted', () => {
  const events = [
    status('redeemed', '2026-03-03T10:00:00Z', { coupon: 'c2' }),
    status('redeemed', '2026-03-02T10:00:00Z', { coupon: 'c1' }),
    status('targeted', '2026-03-01T10:00:00Z', { channel: 'post' }),
  ]
  expect(onlyRow(campaignMember, events)).toEqual({
    campaign_id: 'M1',
    person: idOf({ namespace: 'erp', value: 'h1' }),
    status: 'redeemed',
    channel: 'post',
    responded: true,
    responses: 2,
    first_response_at: ms('2026-03-02T10:00:00Z'),
    last_response_at: ms('2026-03-03T10:00:00Z'),
    coupon: 'c2',
    joined_at: ms('2026-03-01T10:00:00Z'),
    updated_at: ms('2026-03-03T10:00:00Z'),
  })
  const said = status('attended', '2026-03-02T10:00:00Z', { responded: false })
  expect(onlyRow(campaignMember, [said])).toMatchObject({ responded: false, responses: 0 })
})

test('by mail: the furthest step; a click is an answer, opening is none', () => {
  const clicked = mail('Email Link Clicked', '2026-03-01T11:00:00Z')
  const openedAgain = mail('Email Opened', '2026-03-01T12:00:00Z')
  const delivered = mail('Email Delivered', '2026-03-01T10:00:00Z')
  expect(onlyRow(campaignMember, [openedAgain, clicked, delivered])).toMatchObject({
    status: 'clicked',
    channel: 'email',
    responded: true,
    responses: 1,
  })
  expect(onlyRow(campaignMember, [openedAgain, delivered])).toMatchObject({
    status: 'opened',
    responded: false,
  })
  const set = event(
    'marketing.campaign_member_status_changed',
    { campaign_id: 'M1', email: 'ann@example.com', to: 'Declined' },
    { at: '2026-03-01T09:00:00Z' },
  )
  expect(onlyRow(campaignMember, [clicked, set])).toMatchObject({ status: 'Declined', responded: true })
})

test('one row for each campaign and person; events without either make none', () => {
  const others = [
    status('sent', '2026-03-01T10:00:00Z'),
    status('sent', '2026-03-01T10:00:00Z', { campaign_id: 'M2' }),
    status('sent', '2026-03-01T10:00:00Z', { customer_id: 'h2' }),
    event('Email Opened', { email: 'ann@example.com' }),
    event('marketing.campaign_member_status_changed', { campaign_id: 'M1', to: 'sent' }),
  ]
  expect(rows(campaignMember, others)).toHaveLength(3)
})

test('campaign', () => {
  const created = event(
    'marketing.campaign_created',
    { campaign_id: 'M1', name: 'Spring', budget: '1000.50', currency: 'EUR', starts_on: '2026-03-01' },
    { at: '2026-02-01T10:00:00Z' },
  )
  const launched = event('marketing.campaign_launched', { campaign_id: 'M1' }, { at: '2026-03-01T10:00:00Z' })
  expect(onlyRow(campaign, [launched, created])).toEqual({
    campaign_id: 'M1',
    name: 'Spring',
    status: 'running',
    starts_on: '2026-03-01',
    budget: 10_005_000,
    currency: 'EUR',
    launched_at: ms('2026-03-01T10:00:00Z'),
    updated_at: ms('2026-03-01T10:00:00Z'),
  })
})
