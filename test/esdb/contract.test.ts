/**
 * Theorem: to EventStoreDB's official client a server over Headwater's log behaves as one over opaque events in memory: what is
 * appended is read back as it was sent, in order; repetitions change nothing; expectations hold; subscriptions miss nothing.
 */
import { headwaterBackend } from '../../api/esdb/headwater-backend.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { esdbContract } from './contract.ts'
import { memoryBackend } from './memory-backend.ts'

esdbContract('over memory', () => ({ backend: memoryBackend(), close: async () => undefined }))

esdbContract('over the intake and the log', () => {
  const world = intakeWorld()
  const { log, intake, keyStore } = world
  return { backend: headwaterBackend({ log, intake, opener: keyStore }), close: world.close }
})
