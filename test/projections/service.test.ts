/**
 * Theorem: a case stands where its newest event says, by event time and, within a desk's minute, by sequence, in
 * whatever order its events arrive; what was solved is solved no longer once it is reopened.
 */
import { describe, expect, test } from 'vitest'
import { serviceCase } from '../../projections/service/case.ts'
import { event, idOf, ms, onlyRow, type Stated } from './given.ts'

const about = (type: string, at: string, data: Record<string, unknown> = {}, stated: Stated = {}) =>
  event(`case.${type}`, { case_id: 'K1', ...data }, { at: `2026-03-${at}:00Z`, source: 'support', ...stated })

const opened = about('opened', '01T10:00', { priority: '3', contact_id: 'c1', queue: 'first line' })

describe('ties within a minute', () => {
  const at = '01T11:00'
  const active = about('updated', at, { status: 'Active', priority: '3' }, { sequence: 11, id: 'z' })
  const waiting = about(
    'waiting',
    at,
    { status: 'Awaiting User Info', priority: '2' },
    { sequence: 12, id: 'm' },
  )
  const resolved = about('resolved', at, { status: 'Resolved', priority: '1' }, { sequence: 13, id: 'a' })

  test('the greatest sequence came last, whatever the order of arrival and the ids', () => {
    const orders = [
      [opened, active, waiting, resolved],
      [resolved, waiting, active, opened],
      [waiting, resolved, opened, active],
    ]
    for (const each of orders) {
      expect(onlyRow(serviceCase, each)).toMatchObject({
        status: 'Resolved',
        phase: 'resolved',
        priority: '1',
        resolved_at: ms('2026-03-01T11:00:00Z'),
      })
    }
    expect(onlyRow(serviceCase, [waiting, opened, active])).toMatchObject({
      status: 'Awaiting User Info',
      phase: 'waiting',
      priority: '2',
    })
  })

  test('time comes before sequence', () => {
    const later = about('updated', '01T11:01', { status: '-100' }, { sequence: 1 })
    expect(onlyRow(serviceCase, [later, resolved, opened])).toMatchObject({
      status: '-100',
      phase: 'resolved',
    })
  })
})

test('from opening to closing, by types alone', () => {
  const events = [
    about('closed', '04T09:00'),
    about('assigned', '01T10:30', { owner: 'moses' }),
    opened,
    about('responded', '01T12:00'),
    about('assigned', '02T10:30', { owner: 'darcel', queue: 'second line' }),
    about('escalated', '02T11:00'),
    about('resolved', '03T10:00', { sla_met: true }),
  ]
  expect(onlyRow(serviceCase, events)).toEqual({
    case_id: 'K1',
    person: idOf({ namespace: 'contact', value: 'c1' }),
    status: 'closed',
    phase: 'closed',
    priority: '3',
    queue: 'second line',
    owner: 'darcel',
    sla_met: true,
    opened_at: ms('2026-03-01T10:00:00Z'),
    first_responded_at: ms('2026-03-01T12:00:00Z'),
    resolved_at: ms('2026-03-03T10:00:00Z'),
    closed_at: ms('2026-03-04T09:00:00Z'),
    resolve_seconds: 172_800,
    escalated: true,
    reopenings: 0,
    reassignments: 1,
    updated_at: ms('2026-03-04T09:00:00Z'),
  })
})

test('reopening takes back that it was solved; stated counts and instants beat counted ones', () => {
  const resolved = about('resolved', '02T10:00')
  const reopened = about('reopened', '03T10:00')
  const row = onlyRow(serviceCase, [reopened, opened, resolved])
  expect(row).toMatchObject({ status: 'open', phase: 'open', reopenings: 1 })
  expect(row).not.toHaveProperty('resolved_at')
  expect(row).not.toHaveProperty('resolve_seconds')
  const stated = about('updated', '04T10:00', {
    status: 'Resolved',
    opened_at: '2026-02-28T10:00:00Z',
    resolved_at: '2026-03-03T22:00:00Z',
    reopenings: 4,
    reassignments: 2,
  })
  expect(onlyRow(serviceCase, [stated, reopened, opened, resolved])).toMatchObject({
    phase: 'resolved',
    opened_at: ms('2026-02-28T10:00:00Z'),
    resolved_at: ms('2026-03-03T22:00:00Z'),
    reopenings: 4,
    reassignments: 2,
  })
})
