import { randomBytes, randomUUID } from 'node:crypto'
import type { NewEvent } from '../../engine/events/event.ts'

/** Of an event's data, as JSON. */
export const DATA_BYTES = 1_024
export const EVENT_TYPE = 'bench.happened'

const POOL_BYTES = 256 * 1024
/** Text that doesn't repeat within an event. */
const POOL = randomBytes(POOL_BYTES).toString('base64url')
const STEP = 37

type Data = { readonly number: number; readonly text: string }

/** The k-th event's data: exactly `DATA_BYTES` of JSON, hardly ever the same twice. */
export function dataOf(k: number): Data {
  const textBytes = DATA_BYTES - '{"number":,"text":""}'.length - String(k).length
  const from = (k * STEP) % (POOL.length - textBytes)
  return { number: k, text: POOL.slice(from, from + textBytes) }
}

/** The same as an event that the log is handed. */
export function eventOf(stream: string, k: number, receivedMs: number): NewEvent {
  return {
    stream,
    type: EVENT_TYPE,
    source: 'bench',
    id: randomUUID(),
    schema: 1,
    time: receivedMs,
    received: receivedMs,
    identities: [],
    data: dataOf(k),
    normalised: {},
    normaliser: 1,
    sealed: [],
  }
}
