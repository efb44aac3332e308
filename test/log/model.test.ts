import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import type { NewEvent, RecordedEvent } from '../../engine/events/event.ts'
import type { AppendEvent, Log, ReadOptions, StreamReadOptions } from '../../engine/log/log.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { anEvent, collect, eventArbitrary, identityId, present } from './events.ts'
import { opened, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: whatever is appended, alone, together, atomically or with expectations, every read of either log equals the
// same read of a plain array; for the embedded log also after it was opened again.

type Command =
  | { readonly kind: 'append'; readonly batches: readonly Batch[] }
  | { readonly kind: 'read'; readonly backwards: boolean; readonly options: ReadOptions }
  | { readonly kind: 'stream'; readonly stream: string; readonly options: StreamReadOptions }
  | { readonly kind: 'identity'; readonly id: string; readonly options: StreamReadOptions }
  | { readonly kind: 'reopen' }

interface Batch {
  readonly events: readonly { readonly event: NewEvent; readonly expectedRevision: number | undefined }[]
  readonly atomic: boolean
  /** One event more, at the end, that isn't plain data. */
  readonly broken: boolean
}

const small = fc.option(fc.nat(25), { nil: undefined })
const streamOptions = fc.record({
  direction: fc.constantFrom('forwards', 'backwards', undefined),
  from: small,
  limit: small,
})
const batch: fc.Arbitrary<Batch> = fc.record({
  events: fc.array(
    fc.record({
      event: eventArbitrary,
      expectedRevision: fc.option(fc.integer({ min: -1, max: 3 }), { nil: undefined, freq: 4 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  atomic: fc.boolean(),
  broken: fc.constantFrom(false, false, false, true),
})
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      batches: fc.array(batch, { minLength: 1, maxLength: 3 }),
    }),
  },
  fc.record({
    kind: fc.constant('read' as const),
    backwards: fc.boolean(),
    options: fc.record({
      from: small,
      limit: small,
      types: fc.option(
        fc.subarray(['deal.won', 'Order Completed']).map((types): ReadonlySet<string> => new Set(types)),
        { nil: undefined },
      ),
    }),
  }),
  fc.record({
    kind: fc.constant('stream' as const),
    stream: fc.constantFrom('deal-1', 'person-ü', 'none-1'),
    options: streamOptions,
  }),
  fc.record({
    kind: fc.constant('identity' as const),
    id: fc.integer({ min: 1, max: 7 }).map(identityId),
    options: streamOptions,
  }),
  fc.constant({ kind: 'reopen' as const }),
)

/** The plain array. */
class Model {
  readonly events: RecordedEvent[] = []

  revision(stream: string): number {
    return this.events.filter((event) => event.stream === stream).length - 1
  }

  /** Which of the batch's events are appended. */
  append({ events, atomic, broken }: Batch): boolean[] | 'thrown' {
    const before = this.events.length
    const held = events.map(({ event, expectedRevision }) => {
      const revision = this.revision(event.stream)
      if (expectedRevision !== undefined && expectedRevision !== revision) return false
      const position = this.events.length + 1
      this.events.push(present({ ...event, position, revision: revision + 1 }))
      return true
    })
    // An atomic batch that fails anyway isn't looked at further.
    const failed = atomic && held.includes(false)
    if (broken || failed) this.events.length = before
    if (broken && !failed) return 'thrown'
    if (!failed) return held
    return held.map(() => false)
  }

  read(backwards: boolean, { from, limit, types }: ReadOptions): RecordedEvent[] {
    const events = this.events.filter((event) => types === undefined || types.has(event.type))
    return select(events, { direction: backwards ? 'backwards' : 'forwards', from, limit })
  }
}

function select(events: readonly RecordedEvent[], { direction, from, limit }: StreamReadOptions) {
  const kept =
    direction === 'backwards'
      ? events.filter((event) => event.position <= (from ?? event.position)).reverse()
      : events.filter((event) => event.position >= (from ?? 0))
  return kept.slice(0, limit)
}

async function run(log: Log, model: Model, each: Command): Promise<void> {
  switch (each.kind) {
    case 'append': {
      const results = await Promise.all(each.batches.map((one) => appendBatch(log, one)))
      const expected = each.batches.map((one) => model.append(one))
      expect(results).toEqual(expected)
      expect(log.head().position).toBe(model.events.length)
      break
    }
    case 'read': {
      const { backwards, options } = each
      const read = backwards ? log.readBackwards(options) : log.read(options)
      expect(await collect(read)).toStrictEqual(model.read(backwards, options))
      break
    }
    case 'stream': {
      const own = model.events.filter((event) => event.stream === each.stream)
      expect(await collect(log.readStream(each.stream, each.options))).toStrictEqual(
        select(own, each.options),
      )
      expect(log.streamHead(each.stream)?.revision ?? -1).toBe(own.length - 1)
      break
    }
    case 'identity': {
      const own = model.events.filter((event) => event.identities.some(({ id }) => id === each.id))
      expect(await collect(log.readIdentity(each.id, each.options))).toStrictEqual(select(own, each.options))
      break
    }
    case 'reopen':
      break
  }
}

async function appendBatch(log: Log, { events, atomic, broken }: Batch): Promise<boolean[] | 'thrown'> {
  const list = events.map(toAppend)
  if (broken) list.push({ event: anEvent({ data: { text: '\ud800' } }) })
  try {
    return (await log.append(list, { atomic })).map(E.isRight).slice(0, events.length)
  } catch {
    return 'thrown'
  }
}

function toAppend({ event, expectedRevision }: Batch['events'][number]): AppendEvent {
  const expected = expectedRevision === undefined ? undefined : { revision: expectedRevision }
  return { event, expected }
}

const commands = fc.array(command, { minLength: 5, maxLength: 25 })

describe('equals a plain array', () => {
  it('the memory log', () =>
    fc.assert(
      fc.asyncProperty(commands, async (list) => {
        const log = createMemoryLog()
        const model = new Model()
        for (const each of list) await run(log, model, each)
      }),
      { numRuns: 60 },
    ))

  it('the embedded log', () =>
    fc.assert(
      fc.asyncProperty(commands, async (list) => {
        const directory = temporaryDirectory()
        const options = { segmentBytes: 3000, chunkBytes: 700, files: unsyncedFiles }
        let log = await opened(directory.path, options)
        const model = new Model()
        try {
          for (const each of list) {
            await run(log, model, each)
            if (each.kind !== 'reopen') continue
            await log.close()
            log = await opened(directory.path, options)
          }
        } finally {
          await log.close()
          directory.remove()
        }
      }),
      { numRuns: 60 },
    ))
})
