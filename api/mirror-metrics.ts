import type { MirrorStatus } from '../engine/log/mirrored.ts'
import type { EngineStatus } from './deps.ts'
import { shownLogAddress } from './log-address.ts'
import type { Metrics } from './metrics.ts'
import type { OpenedLog } from './open-log.ts'

/** What operators watch of a log in an EventStoreDB; nothing where it lies in the data directory. */
export function observeMirror({ gauge }: Pick<Metrics, 'gauge'>, mirror: OpenedLog['mirror']): void {
  if (mirror === undefined) return
  const observe = (name: string, help: string, read: (status: MirrorStatus) => number): void =>
    gauge(`headwater_eventstore_${name}`, help, () => read(mirror.mirror()))
  observe('writing', '1 while EventStoreDB, which has the log, takes events.', ({ state }) =>
    state === 'writing' ? 1 : 0,
  )
  observe('lag_events', 'Events that EventStoreDB has and the replica in log/ is still to get.', (status) =>
    Math.max(0, status.remote - status.replica),
  )
  observe(
    'interruptions',
    'Times since the start that appending to EventStoreDB failed and was taken up anew.',
    ({ interruptions }) => interruptions,
  )
}

export function mirrorStatus(mirror: OpenedLog['mirror'], address: string): Pick<EngineStatus, 'eventstore'> {
  if (mirror === undefined) return {}
  const { state, remote, replica } = mirror.mirror()
  return { eventstore: { address: shownLogAddress(address), state, position: remote, replica } }
}
