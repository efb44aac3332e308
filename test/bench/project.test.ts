/**
 * Theorem: the bench of read models reports exactly the agreed names; what it sends in order is in order and without
 * repetition, and what it sends out of order has the shares of late, repeated and contradicting events that it claims, as many
 * deliveries in all, and none made up twice.
 */
import { describe, expect, test } from 'vitest'
import { deliveries } from '../../bench/project/deliveries.ts'
import { noProjectFindings } from '../../bench/project/figures.ts'
import { projectReportOf } from '../../bench/project.ts'
import type { SourceEvent } from '../../bench/simulator/source-event.ts'

const NAMES = [
  'rebuild_all_events_per_s',
  'rebuild_rss_mb',
  'rebuild_one_events_per_s',
  'rebuild_all_vs_fold',
  'rebuild_vs_emmett',
  'dirty_vs_clean',
  'asof_p99_ms',
  'unmerge_ms',
]
const COUNT = 20_000
const NOON = Date.UTC(2026, 2, 1, 12)

test('the figures have the agreed names, measured or not', () => {
  const about = { commit: '0123456789ab', machine: { cores: 2 } }
  expect(projectReportOf(noProjectFindings(), about).results.map(({ name }) => name)).toEqual(NAMES)
})

describe('deliveries', () => {
  const share = (events: readonly unknown[]): number => events.length / COUNT

  test('in order: by time, each once', () => {
    const sent = deliveries('clean', COUNT, 500, NOON)
    expect(sent.length).toBe(COUNT)
    expect(new Set(sent.map(({ id }) => id)).size).toBe(COUNT)
    expect(late(sent)).toEqual([])
  })

  test('as systems send them: a tenth late, one in twenty again, one in twenty a contradiction', () => {
    const sent = deliveries('dirty', COUNT, 500, NOON)
    expect(sent.length).toBe(COUNT)
    const first = sent.filter((event, n) => sent.indexOf(event) === n)
    expect(1 - share(first)).toBeCloseTo(0.05, 2)
    expect(share(first.filter(({ id }) => id.startsWith('contradiction')))).toBeCloseTo(0.05, 2)
    expect(share(late(first))).toBeCloseTo(0.1, 2)
    // A repetition is the very same event; two events of one id would be a conflict of ids.
    expect(new Set(first.map(({ id }) => id)).size).toBe(first.length)
  })
})

/** Events that come after one of a later time. */
function late(sent: readonly SourceEvent[]): readonly SourceEvent[] {
  let newest = ''
  return sent.filter(({ time }) => {
    const isLate = time < newest
    if (!isLate) newest = time
    return isLate
  })
}
