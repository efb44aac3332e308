/**
 * Theorem: any event that a log stores comes back from its JSON in an EventStoreDB exactly as it was, what JSON can't say included,
 * and what stands there in clear is the JSON that anybody would write.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NewEvent } from '../../engine/events/event.ts'
import {
  encode,
  envelopeOf,
  FORMAT,
  recordedOf,
  streamOf,
  theirName,
} from '../../engine/log/eventstore/codec.ts'
import type { StoredEvent } from '../../engine/log/eventstore/connection.ts'
import { keyOf, nextUuid, uuidOf } from '../../engine/log/eventstore/event-id.ts'
import { exactFields, fieldsOf } from '../../engine/log/eventstore/exact-json.ts'
import { anEvent, eventArbitrary, present } from './events.ts'

const viaJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** As the client would hand it out. */
function stored(event: NewEvent): StoredEvent {
  const { dataText, envelope } = encode(event)
  const metadata = viaJson({ ...envelope, headwater: FORMAT, writer: 'w', position: 7 })
  const place = { stream: theirName(event.stream), revision: 3, commit: 99, id: 'x', type: event.type }
  return { ...place, data: JSON.parse(dataText), metadata }
}

function back(event: NewEvent) {
  const theirs = stored(event)
  const envelope = envelopeOf(theirs)
  if (envelope === undefined) throw new Error('no event of ours')
  return present(recordedOf(theirs, envelope, { position: 7, revision: 2 }))
}

const withoutUndefined = (event: NewEvent): NewEvent => present({ ...event, position: 7, revision: 2 })

describe('events as JSON', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(eventArbitrary, (event) => {
        expect(back(event)).toStrictEqual(withoutUndefined(event))
      }),
      { numRuns: 150 },
    )
  })

  it('may look like what stands for numbers and bytes', () => {
    const bytes = new Uint8Array([0, 255])
    const odd = {
      $number: '-0',
      list: [{ $bytes: 'AA==' }, { $object: { $number: 'x' } }, -0, Number.NaN, bytes],
    }
    expect(fieldsOf(viaJson(exactFields(odd)) as typeof odd)).toStrictEqual(odd)
    expect(back(anEvent({ data: { $bytes: 'AA==' } })).data).toStrictEqual({ $bytes: 'AA==' })
  })

  it('have integers that readers of JSON may not keep as text, and all others as they are', () => {
    const data = { kept: [2 ** 53 - 1, 0.1, -7], large: 2 ** 60, larger: -1e300 }
    const theirs = stored(anEvent({ data }))
    expect(theirs.data).toEqual({
      kept: [2 ** 53 - 1, 0.1, -7],
      large: { $number: '1152921504606847000' },
      larger: { $number: '-1e+300' },
    })
    expect(back(anEvent({ data })).data).toStrictEqual(data)
  })

  it('are readable there, and what is sealed is not', () => {
    const sealed = [{ keyId: 'ab'.repeat(16), blob: new Uint8Array([1, 2]) }]
    const { data, metadata } = stored(anEvent({ id: 'a', data: { amount: 3, tags: ['x'] }, sealed }))
    expect(data).toEqual({ amount: 3, tags: ['x'] })
    expect(metadata).toMatchObject({
      id: 'a',
      source: 'crm',
      sealed: [{ keyId: 'ab'.repeat(16), blob: 'AQI=' }],
    })
  })

  it('keep what they were encoded from apart', () => {
    const nested = { a: 1 }
    const { dataText } = encode(anEvent({ data: { nested } }))
    nested.a = 2
    expect(dataText).toBe('{"nested":{"a":1}}')
  })

  it('are told from what others wrote', () => {
    const theirs = stored(anEvent())
    for (const metadata of [undefined, {}, { headwater: FORMAT }, new Uint8Array([1]), 'text'])
      expect(envelopeOf({ ...theirs, metadata })).toBeUndefined()
  })

  it('are looked at closely where another process wrote them, or none in this form', () => {
    const isOurs = (writer: string): boolean => writer === 'w'
    const { metadata, ...theirs } = stored(anEvent())
    const envelope = { ...(metadata as object), headwater: FORMAT }
    expect(envelopeOf({ ...theirs, metadata }, isOurs)).toBe(metadata)
    for (const odd of [
      { ...envelope, writer: 'other', schema: 'odd' },
      { writer: 'w', opened: true },
      { ...envelope, writer: 7 },
      ...[undefined, null, 'text', new Uint8Array([1])],
    ])
      expect(envelopeOf({ ...theirs, metadata: odd }, isOurs)).toBeUndefined()
  })
})

it('stream names of ours never are EventStoreDB’s own', () => {
  fc.assert(
    fc.property(
      fc.tuple(fc.constantFrom('', '$', '%', '$$', '%24', '%headwater-log'), fc.string()),
      ([start, rest]) => {
        const theirs = theirName(start + rest)
        expect(streamOf(theirs)).toBe(start + rest)
        expect(theirs).not.toMatch(/^(\$|%headwater)/)
      },
    ),
    { numRuns: 100 },
  )
})

it('ids are UUIDs, the same ones for ever', () => {
  expect(uuidOf('crm', '0F8FAD5B-D9CB-469F-A165-70867728950E')).toBe('0f8fad5b-d9cb-469f-a165-70867728950e')
  const [one, two] = [uuidOf('crm', 'a'), uuidOf('web', 'a')]
  expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const others = [nextUuid(one, 'a', 1), nextUuid(one, 'a', 2), nextUuid(two, 'a', 1), nextUuid(one, 'b', 1)]
  expect(new Set([one, two, ...others]).size).toBe(6)
  expect(uuidOf('crm', 'a')).toBe(one)
  expect(Number.isSafeInteger(keyOf(one))).toBe(true)
  // Indexes that exist were made with it.
  expect(keyOf('0f8fad5b-d9cb-469f-a165-70867728950e')).toBe(180_538_374_100_091)
})
