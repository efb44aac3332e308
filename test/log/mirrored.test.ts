/**
 * Theorem: the replica of a log in an EventStoreDB holds what that holds, byte for byte the same whenever it is made; what is durable in one
 * of the two alone is neither acknowledged nor taken twice; and what doesn't follow from the server's log isn't followed. Shown
 * over a server of the same protocol.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkEventStore } from '../../api/doctor/event-store.ts'
import { checkLog } from '../../api/doctor/log.ts'
import { systemMachine } from '../../api/doctor/machine.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { type OpenLogOptions, openLog } from '../../api/open-log.ts'
import { systemClock } from '../../engine/clock.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { IndexUnavailable } from '../../engine/log/log.ts'
import { type MirroredLog, openMirroredLog } from '../../engine/log/mirrored.ts'
import { ReplicaFiller } from '../../engine/log/mirrored-filler.ts'
import { serve, until } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import { anEvent, appends, collect, identityId, positions } from './events.ts'
import { openedOn } from './eventstore-support.ts'
import { type Faults, faultyFiles, noFaults } from './faulty-files.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

let directory: TemporaryDirectory
let server: EsdbServer
let closing: (() => Promise<void>)[]

const newServer = () => serve(memoryBackend(), { maxAppendBytes: 4 * 1024 * 1024 })

beforeEach(async () => {
  directory = temporaryDirectory()
  server = await newServer()
  closing = []
})

afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  await server.stop()
  directory.remove()
})

async function mirrored(port = server.port, faults: Faults = noFaults()): Promise<MirroredLog> {
  const remote = await openedOn({ port }, directory.path, 200)
  const files = faultyFiles(unsyncedFiles, faults)
  const replica = await opened(join(directory.path, 'log'), { files, chunkBytes: 4096 })
  const log = await openMirroredLog(remote, replica)
  closing.push(() => log.close())
  return log
}

const tags = (results: readonly E.Either<{ readonly _tag: string }, unknown>[]) =>
  results.map((result) => (E.isLeft(result) ? result.left._tag : 'appended'))

async function storedBytes(head: number): Promise<readonly (string | undefined)[]> {
  const reader = openEmbeddedReader(join(directory.path, 'log'))
  const bytes = Array.from({ length: head }, (_, i) => reader.storedAt(i + 1)?.toString('base64'))
  await reader.close()
  return bytes
}

it('is made anew with the same stored bytes, whatever was appended together', async () => {
  const first = await mirrored()
  const odd = { list: [-0, 0.5, null, 2 ** 60], nested: { kéy: 'ü', 7: [], a: {} }, gone: undefined }
  for (let round = 0; round < 8; round++) {
    const event = () =>
      anEvent({
        stream: `deal-${round % 3}`,
        data: structuredClone(odd),
        normalised: { 'nested.a': round },
        identities: [{ id: identityId(round), namespace: 'user' }],
        sealed: [{ keyId: identityId(7), blob: new Uint8Array([0, 255, round]) }],
        sequence: round,
        actor: '',
      })
    const results = await first.append(appends(...Array.from({ length: 1 + round }, event)), {
      atomic: round % 2 === 0,
    })
    expect(tags(results)).toEqual(results.map(() => 'appended'))
  }
  const { position } = first.head()
  await first.close()
  const before = await storedBytes(position)
  expect(new Set(before).size).toBe(position)
  rmSync(join(directory.path, 'log'), { recursive: true })
  const second = await mirrored()
  expect(second.head().position).toBe(position)
  await second.close()
  expect(await storedBytes(position)).toEqual(before)
})

it('takes nothing while the replica has no room, nothing twice afterwards', async () => {
  const faults = noFaults()
  const log = await mirrored(server.port, faults)
  await log.append(appends(anEvent({ id: 'before' })))
  faults.roomBytes = 0
  const data = { text: 'x'.repeat(20_000) }
  expect(tags(await log.append(appends(anEvent({ id: 'a', data }))))).toEqual(['DiskFull'])
  // It is in EventStoreDB: who sends it again must not be told that it isn't known.
  expect(() => log.idCandidates('crm', 'a')).toThrow(IndexUnavailable)
  expect(log.idCandidates('crm', 'before')).toEqual([1])
  expect(tags(await log.append(appends(anEvent({ id: 'b' }))))).toEqual(['DiskFull'])
  expect(log.mirror()).toMatchObject({ state: 'away', remote: 2, replica: 1 })
  faults.roomBytes = Number.POSITIVE_INFINITY
  await until(() => log.mirror().state === 'writing')
  expect(log.idCandidates('crm', 'a')).toEqual([2])
  expect(log.idCandidates('crm', 'b')).toEqual([])
  expect(tags(await log.append(appends(anEvent({ id: 'b' }))))).toEqual(['appended'])
  expect((await collect(log.read())).map(({ id }) => id)).toEqual(['before', 'a', 'b'])
})

it('serves reads while the server is away, and tells what became of what was under way', async () => {
  const between = await new CuttingProxy(server.port).open()
  closing.push(() => between.close())
  const log = await mirrored(between.port)
  await log.append(appends(anEvent({ id: 'before' })))
  const under = log.append(appends(anEvent({ id: 'a' })))
  between.isAway = true
  between.cut()
  const [result] = tags(await under)
  expect(['appended', 'Unavailable']).toContain(result)
  await until(() => log.mirror().state === 'away' || result === 'appended')
  expect((await positions(log))[0]).toBe(1)
  expect((await log.at(1))?.id).toBe('before')
  between.isAway = false
  await until(() => log.mirror().state === 'writing')
  await until(() => log.mirror().remote === log.mirror().replica)
  const known = log.idCandidates('crm', 'a').length
  if (known === 0) await log.append(appends(anEvent({ id: 'a' })))
  expect((await collect(log.read())).map(({ id }) => id)).toEqual(['before', 'a'])
})

it('keeps nobody waiting for the replica once that is given up', async () => {
  const over = new AbortController()
  async function* subscribe(): AsyncGenerator<never> {
    await new Promise((resolve) => over.signal.addEventListener('abort', resolve))
  }
  const filler = new ReplicaFiller({
    remote: { subscribe },
    replica: { append: async () => [], head: () => ({ position: 1, received: 0 }) },
    signal: over.signal,
    onNotice: undefined,
  })
  const running = filler.run()
  const waiting = filler.until(2)
  filler.giveUp({ _tag: 'LogClosed' })
  expect(await waiting).toEqual({ _tag: 'LogClosed' })
  expect(await filler.until(2)).toEqual({ _tag: 'LogClosed' })
  expect(await filler.until(1)).toBeUndefined()
  over.abort()
  await running
})

it('refuses alone what fits into EventStoreDB and not into the replica', async () => {
  const log = await mirrored()
  const data = { numbers: Array.from({ length: 130_000 }, () => 0.1) }
  const results = await log.append(appends(anEvent(), anEvent({ data }), anEvent()))
  expect(tags(results)).toEqual(['appended', 'EventTooLarge', 'appended'])
  expect(tags(await log.append(appends(anEvent(), anEvent({ data })), { atomic: true }))).toEqual([
    'EventTooLarge',
    'EventTooLarge',
  ])
  expect(await positions(log)).toEqual([1, 2])
})

function openOptions(more: Partial<OpenLogOptions> = {}): OpenLogOptions {
  const eventLog = `esdb://admin:topsecret@127.0.0.1:${server.port}?tls=false`
  return {
    ...{
      directory: directory.path,
      workspace: 'default',
      clock: systemClock,
      logCompression: 'off' as const,
    },
    ...{ eventLog, onNotice: () => undefined, ...more },
  }
}

/** What the doctor says of the server. */
async function diagnosis(): Promise<readonly (string | undefined)[]> {
  const [finding] = await checkEventStore(directory.path, openOptions().eventLog ?? '')
  expect(JSON.stringify(finding)).not.toContain('topsecret')
  return [finding?.status, finding?.message]
}

async function refusalOf(more: Partial<OpenLogOptions> = {}): Promise<string> {
  const result = await openLog(openOptions(more))
  if (E.isLeft(result)) return result.left
  await result.right.log.close()
  return 'it opened'
}

it('opens where log/ follows from the server, and says what to do where it does not', async () => {
  const first = await openLog(openOptions())
  if (E.isLeft(first)) throw new Error(first.left)
  await first.right.log.append(appends(anEvent(), anEvent()))
  expect(first.right.mirror?.mirror()).toMatchObject({ state: 'writing', remote: 2, replica: 2 })
  await first.right.log.close()
  expect(await refusalOf()).toBe('it opened')
  expect(await diagnosis()).toEqual(['ok', expect.stringContaining('it is the log that log/')])
  expect(await refusalOf({ eventLog: 'embedded' })).toMatch(/log\/ is a replica of esdb:\/\/127.0.0.1:\d+:/)
  const before = server.port
  await server.stop()
  const gone = await refusalOf({ eventLog: `esdb://admin:topsecret@127.0.0.1:${before}?tls=false` })
  expect(gone).toMatch(/^esdb:\/\/127.0.0.1:\d+, which HEADWATER_LOG names, can't be used/)
  expect(gone).not.toContain('topsecret')
  expect(await diagnosis()).toEqual(['fail', expect.stringContaining("can't be used")])
  server = await newServer()
  expect(await diagnosis()).toEqual(['fail', expect.stringContaining('lacks the newest event')])
  expect(await refusalOf()).toMatch(/EventStoreDB ends at position 0, log\/ at 2: check/)
  const other = await openedOn(server, temporaryPath())
  await other.append(appends(anEvent({ source: 'web' }), anEvent({ source: 'web' })))
  // Whoever only asked hasn't taken the log over.
  expect(await refusalOf()).toMatch(/at position 2 of log\/ is another one/)
  expect(tags(await other.append(appends(anEvent())))).toEqual(['appended'])
  await other.close()
})

it('says that a damaged replica can be made anew', async () => {
  const first = await openLog(openOptions())
  if (E.isLeft(first)) throw new Error(first.left)
  for (let i = 0; i < 3; i++) await first.right.log.append(appends(anEvent()))
  await first.right.log.close()
  const place = join(directory.path, 'log')
  const segment = readdirSync(place).find((name) => name.endsWith('.hwl')) ?? ''
  const bytes = readFileSync(join(place, segment))
  // In the first block, before two whole ones.
  bytes.fill(0x55, 200, 260)
  writeFileSync(join(place, segment), bytes)
  expect(await refusalOf()).toMatch(/damaged .* remove log\/, which is a replica/)
  expect(checkLog(systemMachine, directory.path, 'default').findings[0]?.advice).toMatch(/makes it anew/)
  rmSync(place, { recursive: true })
  expect(await refusalOf()).toBe('it opened')
})

it('keeps one workspace from the log of another', async () => {
  expect(await refusalOf()).toBe('it opened')
  rmSync(join(directory.path, 'log'), { recursive: true })
  expect(await refusalOf({ workspace: 'other' })).toMatch(/belongs to the workspace default, not other/)
})

function temporaryPath(): string {
  const made = temporaryDirectory()
  closing.push(async () => made.remove())
  return made.path
}
