import assert from 'node:assert/strict'
import type { Block } from './block-decoder.ts'
import { ByteSink } from './byte-sink.ts'
import { IDENTITY_BYTES, NIL } from './format.ts'

/**
 * The stored bytes of an event, as FORMAT.md defines them: all that the log keeps of it but its position, the same
 * however it is put into blocks. Hashes and proofs stand on them; payloads are taken as stored, not encoded anew.
 */
export function eventBytes(block: Block, index: number): Buffer {
  const { columns } = block
  assert.deepEqual(columns.unknown, [], 'a newer release wrote this block')
  const payload = block.payloadBytes(index)
  const event = block.event(index)
  const shape = block.shapeAt(index)
  const sink = ByteSink.ofCapacity(512 + payload.length)
  sink.array(21)
  for (const text of [event.stream, event.id, event.source, event.type]) sink.string(text)
  for (const number of [event.schema, event.time, event.received, event.revision]) sink.number(number)
  sink.array(event.identities.length)
  for (const { namespace, id } of event.identities) {
    sink.array(2)
    sink.string(namespace)
    sink.binHead(IDENTITY_BYTES)
    sink.hex16(id)
  }
  for (const number of [event.sequence, event.basedOn, event.originalTime, event.sentTime]) {
    if (number === undefined) sink.byte(NIL)
    else sink.number(number)
  }
  for (const text of [event.actor, event.origin, event.causation, event.correlation]) {
    if (text === undefined) sink.byte(NIL)
    else sink.string(text)
  }
  sink.number(event.normaliser)
  for (const keys of [shape.data, shape.normalised]) {
    sink.array(keys.length)
    for (const key of keys) sink.string(key)
  }
  sink.bin(payload)
  return sink.bytes.subarray(0, sink.length)
}
