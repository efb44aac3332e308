/**
 * Theorem: to EventStoreDB's official client a server over Headwater's log behaves as one over opaque events in memory: what is
 * appended is read back as it was sent, in order; repetitions change nothing; expectations hold; subscriptions miss nothing;
 * metadata, deletions and tombstones hide from reads of streams what EventStoreDB hides, and nothing from `$all`.
 */
import { headwaterBackend } from '../../api/esdb/headwater-backend.ts'
import { manualClock } from '../../engine/clock.ts'
import { intakeWorld, NOON } from '../support/intake-world.ts'
import { esdbContract } from './contract.ts'
import { memoryBackend } from './memory-backend.ts'
import { esdbStreamsContract } from './streams-contract.ts'

esdbContract('over memory', () => ({ backend: memoryBackend(), close: async () => undefined }))

esdbContract('over the intake and the log', () => {
  const world = intakeWorld()
  const { log, intake, keyStore } = world
  return { backend: headwaterBackend({ log, intake, opener: keyStore }), close: world.close }
})

esdbStreamsContract('over memory', () => {
  const clock = manualClock(NOON)
  return { backend: memoryBackend({ nowMs: clock.nowMs }), clock, close: async () => undefined }
})

esdbStreamsContract('over the intake and the log', () => {
  const world = intakeWorld()
  const { log, intake, keyStore, clock } = world
  return { backend: headwaterBackend({ log, intake, opener: keyStore }), clock, close: world.close }
})
