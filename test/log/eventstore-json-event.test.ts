/**
 * Theorem: an event whose data are the bytes of JSON is stored by the official client as these bytes, with the label of JSON, whichever way the client
 * appends and however often; asked for its content type once only, it is the value.
 */
import { randomUUID } from 'node:crypto'
import type { EventStoreDBClient, JSONEventData } from '@eventstore/db-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EsdbBackend } from '../../api/esdb/backend.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import type { ProposedEvent } from '../../engine/log/eventstore/connection.ts'
import { JsonEvent } from '../../engine/log/eventstore/json-event.ts'
import { connectionOf } from '../../engine/log/eventstore.ts'
import { clientOf, serve } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
/** As nobody's `JSON.stringify` would write it. */
const TEXT = '{ "amount": 1.50, "text": "ä\\u00e4€🌊" }'
const VALUE = { amount: 1.5, text: 'ää€🌊' }

let backend: EsdbBackend
let server: EsdbServer
let client: EventStoreDBClient

beforeEach(async () => {
  backend = memoryBackend()
  server = await serve(backend)
  client = clientOf(server)
})

afterEach(async () => {
  await client.dispose()
  await server.stop()
})

function proposed(): ProposedEvent {
  return {
    ...{ id: randomUUID(), type: 'thing.done' },
    ...{ data: bytes(TEXT), metadata: bytes('{"a":1}') },
  }
}

async function stored() {
  const found = []
  for await (const batch of backend.readAll({ direction: 'forwards', from: 1, limit: 100 }))
    for (const { isJson, data, metadata } of batch)
      found.push([isJson, Buffer.from(data).toString(), Buffer.from(metadata).toString()])
  return found
}

it('is stored with the label of JSON as the bytes that it was', async () => {
  const connection = connectionOf(client)
  await connection.append('thing-1', -1, [proposed(), proposed()])
  await connection.append('thing-1', 1, [proposed()])
  expect(await stored()).toEqual(Array.from({ length: 3 }, () => [true, TEXT, '{"a":1}']))
  const read = []
  for await (const { event } of client.readStream('thing-1')) read.push([event?.isJson, event?.data])
  expect(read).toEqual(Array.from({ length: 3 }, () => [true, VALUE]))
})

it('is the same on the other way that the client has, and when it is sent again', async () => {
  const event = new JsonEvent(proposed()) as JSONEventData
  for (const way of [{}, { credentials: { username: 'a', password: 'b' } }])
    for (const stream of ['one', 'two']) {
      const appended = await client.appendToStream(`${stream}-${'credentials' in way}`, event, way)
      expect(appended.success).toBe(true)
    }
  expect(await stored()).toEqual(Array.from({ length: 4 }, () => [true, TEXT, '{"a":1}']))
})

it('is the value for whoever asks what it is once', () => {
  const event = new JsonEvent(proposed())
  expect([event.contentType, event.data]).toEqual(['application/json', VALUE])
})
