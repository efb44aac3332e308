/**
 * Theorem: configuration as of a moment is what the events up to it publish, whoever asks and in whatever order; the log
 * is read for it once, and not at all for a moment within what was read.
 */
import { expect, test } from 'vitest'
import { configurationAt } from '../../api/history/configuration.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import type { ReadOptions } from '../../engine/log/log.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { projections } from '../../projections/catalog.ts'
import { arrayLog } from '../api/array-log.ts'
import { intakeWorld } from '../support/intake-world.ts'

test('what was read once is not read again', async () => {
  const world = intakeWorld()
  const events = arrayLog()
  const reads: number[] = []
  const log = {
    ...events,
    read(options: ReadOptions = {}) {
      reads.push(options.from ?? 1)
      return events.read(options)
    },
  }
  const publish = (priority: number): void => {
    const data = { source: 'web', priority }
    events.push({ type: 'source.registered', stream: 'source-web', data })
    events.push({ type: 'cdp.page', stream: 'page-1' })
  }
  const deps = {
    log,
    projections: new Map(projections.map((projection) => [projection.name, projection])),
    openEvent: (event: RecordedEvent) => openEvent(event, world.keyStore, registry),
  }
  const priorityAt = async (position: number): Promise<number | null | undefined> => {
    const moment: Moment = { by: 'received', position, received: 0 }
    return (await configurationAt(deps, moment)).all('source.registered')[0]?.data.priority
  }
  publish(1)
  publish(2)
  expect(await Promise.all([4, 2, 3].map(priorityAt))).toEqual([2, 1, 2])
  expect(await Promise.all([0, 1, 4].map(priorityAt))).toEqual([undefined, 1, 2])
  publish(3)
  // The past has not moved, and nothing beyond it is looked at.
  expect(await priorityAt(4)).toBe(2)
  expect(new Set(reads)).toEqual(new Set([1]))
  reads.length = 0
  expect(await Promise.all([5, 6].map(priorityAt))).toEqual([3, 3])
  expect(reads[0]).toBe(5)
  await world.close()
})
