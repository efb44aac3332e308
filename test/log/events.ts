import * as fc from 'fast-check'
import type { NewEvent, RecordedEvent } from '../../engine/events/event.ts'
import type { AppendEvent, LogReader, ReadOptions } from '../../engine/log/log.ts'
import { toPlain } from '../../engine/log/recorded.ts'

export const T0 = Date.UTC(2024, 0, 1)

let made = 0

/** A small event, unique by its id. */
export function anEvent(overrides: Partial<NewEvent> = {}): NewEvent {
  made++
  return {
    stream: 'deal-1',
    id: `event-${made}`,
    source: 'crm',
    type: 'deal.created',
    schema: 1,
    time: T0 - 1000,
    received: T0,
    identities: [],
    data: { n: made },
    normalised: {},
    normaliser: 1,
    sealed: [],
    ...overrides,
  }
}

export function appends(...events: readonly NewEvent[]): AppendEvent[] {
  return events.map((event) => ({ event }))
}

/** An identity id that is easy to tell apart. */
export function identityId(n: number): string {
  return n.toString(16).padStart(32, '0')
}

/** All events of the batches, comparable with `toEqual`. */
export async function collect(batches: AsyncIterable<readonly RecordedEvent[]>): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const batch of batches) {
    if (batch.length === 0) throw new Error('a batch is empty')
    for (const event of batch) events.push(present(event))
  }
  return events
}

/** Without the properties that are undefined, so that strict comparison can be used. */
export function present(event: RecordedEvent): RecordedEvent {
  const plain: RecordedEvent = { ...toPlain(event) }
  for (const [key, value] of Object.entries(plain))
    if (value === undefined) Reflect.deleteProperty(plain, key)
  return plain
}

export async function positions(reader: LogReader, options?: ReadOptions): Promise<number[]> {
  return (await collect(reader.read(options))).map((event) => event.position)
}

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 20 }))
const wellFormed = text.filter((value) => value.isWellFormed())
const key = wellFormed.filter((value) => value !== '__proto__')
const number = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, 127, 128, -32, -33, 2 ** 31, 2 ** 32, -(2 ** 31) - 1, 2 ** 53, 2 ** 60, 1e300),
)

const { value: plainValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, '', 0, false),
    fc.boolean(),
    number,
    wellFormed,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }).map((fields) => ({ ...fields })),
  ),
}))

const fields = fc
  .dictionary(fc.oneof(fc.constantFrom('a', 'b', 'c'), key), plainValue, { maxKeys: 5 })
  .map((record) => ({ ...record }))
const PLAIN = { noNullPrototype: true } as const
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const id = fc.integer({ min: 1, max: 6 }).map(identityId)
const instant = fc.oneof(fc.integer({ min: T0 - 1e9, max: T0 }), fc.maxSafeInteger())
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((value) => new Uint8Array(value))

/** Any event that the log stores, apart from `received`, which must not decrease. Few streams and identities. */
export const eventArbitrary: fc.Arbitrary<NewEvent> = fc
  .record({
    stream: fc.constantFrom('deal-1', 'deal-2', 'person-ü', 'case-4'),
    id: wellFormed,
    source: fc.constantFrom('crm', 'web', 'erp'),
    type: fc.constantFrom('deal.created', 'deal.won', 'Order Completed'),
    schema: fc.constantFrom(1, 1, 2, 300),
    time: instant,
    received: fc.constant(T0),
    sequence: optional(fc.oneof(fc.nat(), fc.double({ noNaN: true }))),
    identities: fc.uniqueArray(fc.record({ id, namespace: fc.constantFrom('user', 'email') }, PLAIN), {
      maxLength: 3,
      selector: (identity) => identity.id,
    }),
    actor: optional(wellFormed),
    origin: optional(wellFormed),
    causation: optional(wellFormed),
    correlation: optional(wellFormed),
    basedOn: optional(fc.nat()),
    originalTime: optional(instant),
    sentTime: optional(instant),
    data: fields,
    normalised: fields,
    normaliser: fc.nat(3),
    sealed: fc.array(fc.record({ keyId: id, blob: bytes(40) }, PLAIN), { maxLength: 2 }),
  })
  // -0 is 0 in the envelope's numbers.
  .map((event) => (event.sequence === undefined ? event : { ...event, sequence: event.sequence + 0 }))
