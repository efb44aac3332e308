/**
 * Theorem: after `headwater copy` the target is the source, event by event and position by position, whatever the two stand on and
 * wherever an earlier copy was broken off; where it can't become that it is left alone, and the command says why.
 */
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { CommandFailed, type Terminal, UsageError } from '../../api/cli/command.ts'
import { copy } from '../../api/cli/copy.ts'
import { copyLog } from '../../api/cli/copy-log.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { systemClock } from '../../engine/clock.ts'
import type { NewEvent } from '../../engine/events/event.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import type { LogSnapshot } from '../../engine/log/eventstore/snapshot.ts'
import { serve } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { anEvent, appends, collect, identityId, T0 } from '../log/events.ts'
import { openedOn } from '../log/eventstore-support.ts'
import { opened, type TemporaryDirectory, temporaryDirectory } from '../log/support.ts'

let directory: TemporaryDirectory
let server: EsdbServer
let out: string[]
let interrupt: AbortController

beforeEach(async () => {
  directory = temporaryDirectory()
  server = await serve(memoryBackend(), { maxAppendBytes: 4 * 1024 * 1024 })
  out = []
  interrupt = new AbortController()
})

afterEach(async () => {
  await server.stop()
  directory.remove()
})

const plain = (text: string): string => text

function terminal(): Terminal {
  return {
    env: {},
    clock: systemClock,
    out: (line) => void out.push(line),
    err: () => undefined,
    style: { bold: plain, dim: plain, warn: plain },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: (work) => work(interrupt.signal),
  }
}

const at = (name: string): string => join(directory.path, name)
const esdb = (): string => `esdb://127.0.0.1:${server.port}?tls=false`
const run = (from: string, to: string) => copy.run(['--from', from, '--to', to, '--json'], terminal())
const printed = (): Record<string, unknown> => JSON.parse(out.at(-1) ?? '{}')

const MANY = Array.from({ length: 600 }, (_, i) =>
  anEvent({
    stream: `deal-${i % 9}`,
    received: T0 + i,
    identities: [{ id: identityId(i % 5), namespace: 'user' }],
    data: { amount: i / 7, odd: -0, note: i % 3 === 0 ? null : '' },
    sealed: i % 4 === 0 ? [{ keyId: identityId(i % 5), blob: new Uint8Array([i % 256, 2]) }] : [],
  }),
)

async function fill(name: string, events: readonly NewEvent[]): Promise<void> {
  const log = await opened(at(name))
  await log.append(appends(...events))
  await log.close()
}

async function eventsIn(name: string) {
  const reader = openEmbeddedReader(at(name))
  try {
    return await collect(reader.read())
  } finally {
    await reader.close()
  }
}

it('copies a directory to an EventStoreDB and back to another directory', async () => {
  await fill('one', MANY)
  expect(await run(at('one'), esdb())).toBe(0)
  expect(printed()).toMatchObject({ copied: 600, position: 600 })
  const { source, target } = printed()
  expect(source).toBe(target)
  expect(await run(esdb(), at('two'))).toBe(0)
  expect(printed()).toMatchObject({ copied: 600, source, target })
  expect(await eventsIn('two')).toStrictEqual(await eventsIn('one'))
})

it('goes on where it was broken off, with what has come since', async () => {
  await fill('one', MANY.slice(0, 250))
  const whole = run(at('one'), esdb())
  expect(await whole).toBe(0)
  await fill('one', MANY.slice(250))
  expect(await run(at('one'), esdb())).toBe(0)
  expect(printed()).toMatchObject({ copied: 350, position: 600 })
  expect(await run(at('one'), esdb())).toBe(0)
  expect(printed()).toMatchObject({ copied: 0, position: 600 })
  interrupt.abort()
  expect(await run(at('one'), at('two'))).toBe(130)
  interrupt = new AbortController()
  expect(await run(at('one'), at('two'))).toBe(0)
  expect(await eventsIn('two')).toStrictEqual(await eventsIn('one'))
})

it('leaves a target alone that holds something else', async () => {
  await fill('one', MANY.slice(0, 5))
  await fill('longer', MANY.slice(0, 6))
  await fill('other', [...MANY.slice(0, 2), anEvent({ received: T0 + 3 })])
  for (const [name, position] of [
    ['longer', 6],
    ['other', 3],
  ] as const) {
    const before = await eventsIn(name)
    await expect(run(at('one'), at(name))).rejects.toThrow(
      new RegExp(`something else .* position ${position}`),
    )
    expect(await eventsIn(name)).toStrictEqual(before)
  }
})

it('refuses a source with gaps, since others may name its events by their positions', async () => {
  await fill('one', MANY.slice(0, 9))
  const events = await eventsIn('one')
  const source: LogSnapshot = {
    head: () => ({ position: 9, received: T0 + 8 }),
    read: async function* ({ from = 1 } = {}) {
      yield events.filter(({ position }) => position >= from && position !== 6)
    },
    close: async () => undefined,
  }
  const target = await opened(at('two'))
  const { signal } = interrupt
  const result = await copyLog({ source, target, signal, onProgress: () => undefined })
  await target.close()
  expect(result).toEqual({ _tag: 'Gap', position: 7, instead: 6 })
  expect(await eventsIn('two')).toStrictEqual(events.slice(0, 5))
})

it('says what it can’t do', async () => {
  await fill('one', MANY.slice(0, 2))
  await expect(run(at('none'), at('two'))).rejects.toThrow(CommandFailed)
  await expect(run(at('one'), at('one'))).rejects.toThrow(UsageError)
  const secret = run(at('one'), 'esdb://admin:hush@:x:y?tls=perhaps')
  await expect(secret).rejects.toThrow(UsageError)
  await expect(secret).rejects.not.toThrow(/hush/)
  await expect(copy.run(['--from', at('one')], terminal())).rejects.toThrow(UsageError)
  const log = await openedOn(server, directory.path)
  await log.append(appends(anEvent()))
  await log.close()
  const address = esdb()
  await server.stop()
  await expect(run(address, at('two'))).rejects.toThrow(/source doesn't open \(Unreachable\)/)
})
