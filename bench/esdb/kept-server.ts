/** A process that serves EventStoreDB's protocol over events kept in memory. */
import { startEsdbServer } from '../../api/esdb/server.ts'
import { systemClock } from '../../engine/clock.ts'
import { keptBackend } from './kept-backend.ts'

const MAX_APPEND_BYTES = 4 * 1024 * 1024

const { port } = await startEsdbServer({
  backend: keptBackend(),
  host: '127.0.0.1',
  port: 0,
  credentials: { writeKey: 'bench-write-key-0123456789', readToken: 'bench-read-token-0123456789' },
  anonymous: true,
  clock: systemClock,
  maxAppendBytes: MAX_APPEND_BYTES,
  onDefect: (error) => {
    throw error
  },
})
process.send?.(port)
process.on('disconnect', () => process.exit())
