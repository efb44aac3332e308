import { join } from 'node:path'
import { EMBEDDED, shownLogAddress } from '../log-address.ts'
import { INDEX, replicaOf } from '../open-log.ts'
import { type Finding, fail, ok } from './finding.ts'

const ASK_WITHIN_MS = 3_000
const CHECK = 'eventstore'

/** Whether the EventStoreDB that has the log is there, and is the one that `log/` is a replica of. Nothing is written to it. */
export async function checkEventStore(directory: string, eventLog: string): Promise<readonly Finding[]> {
  const replicated = replicaOf(directory)
  if (eventLog === EMBEDDED)
    return replicated === undefined
      ? []
      : [
          fail(
            CHECK,
            `log/ is a replica of ${replicated}, and HEADWATER_LOG is not set`,
            'set HEADWATER_LOG to it, or remove log.replica to go on without EventStoreDB',
          ),
        ]
  const { examineEventStore, isConnectionString } = await import('../../engine/log/eventstore.ts')
  if (!isConnectionString(eventLog))
    return [fail(CHECK, "HEADWATER_LOG isn't a connection string that its client reads", 'correct it')]
  const shown = shownLogAddress(eventLog)
  const examined = await examineEventStore(eventLog, join(directory, INDEX), ASK_WITHIN_MS)
  switch (examined._tag) {
    case 'Unreachable':
      return [
        fail(
          CHECK,
          `${shown} can't be used: ${examined.cause}`,
          'start it, or correct HEADWATER_LOG; until then nothing is taken, and no engine starts',
        ),
      ]
    case 'Foreign':
      return [
        fail(
          CHECK,
          `${shown} lacks the newest event that this engine knew there`,
          'check HEADWATER_LOG; if EventStoreDB has lost its end, restore it from a newer backup',
        ),
      ]
    case 'Reachable':
      return [
        ok(
          CHECK,
          `${shown} answers; ${examined.compared ? 'it is the log that log/ is a replica of' : 'nothing to compare yet'}`,
        ),
      ]
  }
}
