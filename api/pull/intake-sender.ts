import { incomingOf } from '../../engine/intake/parse.ts'
import type { Intake, IntakeResult } from '../../engine/intake/result.ts'
import type { EventResult, Sender } from '../import/sender.ts'

/** Events go to the engine of this process, through its intake like everybody's. */
export function createIntakeSender(intake: Intake, source: string): Sender {
  return {
    target: 'this engine',
    close: async () => {},
    send: async (events) => {
      const incoming = events.flatMap(({ json, id }) => incomingOf(Buffer.from(json), id))
      const results = await intake.submit(incoming, { defaultSource: source })
      return { _tag: 'Sent', results: results.map(eventResult) }
    },
  }
}

function eventResult(result: IntakeResult): EventResult {
  switch (result.status) {
    case 'appended':
    case 'duplicate':
      return { status: result.status, id: result.id, position: result.position }
    case 'quarantined': {
      const { status, id, position, reason, message } = result
      return { status, id, position, reason, message }
    }
    case 'refused':
      return {
        status: 'refused',
        id: result.id,
        reason: result.refusal.code,
        message: result.refusal.message,
      }
  }
}
