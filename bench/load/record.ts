import type { Clock } from '../../engine/clock.ts'
import { createTraffic } from '../simulator/traffic.ts'
import type { Order, Reply } from './protocol.ts'
import { BATCH_EVENTS } from './run.ts'
import { createTape } from './tape.ts'

/** People of the beginning are asked for; more would only make the list longer. */
const MAX_PEOPLE = 20_000
/** Pace of the simulated day: what the events' times are apart. */
const EVENTS_PER_MS = 50

/** Writes the tape that all measurements of a bench send. */
export function recordTape(order: Extract<Order, { kind: 'record' }>, clock: Clock): Reply {
  const startMs = clock.monotonicMs()
  const traffic = createTraffic({ seed: order.seed, people: order.people })
  const tape = createTape(order.path)
  const people = new Set<string>()
  const fromMs = clock.nowMs() - order.events / EVENTS_PER_MS
  let bytes = 0
  try {
    for (let made = 0; made < order.events; ) {
      const batch: string[] = []
      for (; batch.length < BATCH_EVENTS && made < order.events; made++) {
        const event = traffic.next(fromMs + Math.floor(made / EVENTS_PER_MS))
        const [leading] = event.identities ?? []
        if (
          made < order.knownAfterEvents &&
          people.size < MAX_PEOPLE &&
          leading?.startsWith('user:') === true
        )
          people.add(leading)
        const json = JSON.stringify(event)
        bytes += json.length
        batch.push(json)
      }
      tape.write(batch)
    }
  } finally {
    tape.close()
  }
  const ms = clock.monotonicMs() - startMs
  return { kind: 'recorded', events: order.events, bytes, ms, people: [...people] }
}
