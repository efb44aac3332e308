/**
 * Theorem: on a real disk without room EventStoreDB's clients are told to send again, whatever they ask for; reads go on; when there is
 * room the same engine takes what is sent again; and what was acknowledged is there, once, also after a kill -9.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  DeadlineExceededError,
  type EventStoreDBClient,
  jsonEvent,
  UnavailableError,
} from '@eventstore/db-client'
import { afterAll, afterEach, expect, test } from 'vitest'
import type { EngineProcess } from '../support/engine-process.ts'
import { clientOf, collect, rejection } from './client.ts'
import { loopbackEngine } from './loopback-engine.ts'

const mount = mkdtempSync(join(tmpdir(), 'headwater-full-'))
const mounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount], { stdio: 'ignore' }).status === 0
const directory = mkdtempSync(join(tmpdir(), 'headwater-esdb-'))
let engine: EngineProcess | undefined

afterEach(async () => {
  await engine?.kill('SIGKILL')
})
afterAll(() => {
  if (mounted) spawnSync('umount', [mount])
  rmSync(mount, { recursive: true, force: true })
  rmSync(directory, { recursive: true, force: true })
})

/** With zeros, until there is no room. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, Buffer.alloc(16 * 1024))
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  } finally {
    closeSync(file)
  }
}

// Credentials of a call make the client append by Append, else it uses BatchAppend.
const ALONE = { credentials: { username: 'a', password: 'b' } }
const WAYS = [
  [{}, DeadlineExceededError],
  [ALONE, UnavailableError],
] as const
const event = (n: number, length: number) =>
  jsonEvent({ type: 'thing.done', data: { n, text: 'x'.repeat(length) } })

/** As clients do that are told to. */
async function sendUntilTaken(client: EventStoreDBClient, sent: ReturnType<typeof event>): Promise<void> {
  for (let tries = 1; ; tries++) {
    const failure = await client.appendToStream('thing-1', sent).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (failure === undefined) return
    if (tries === 100) throw failure
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test.skipIf(!mounted)(
  'full, then with room again (skipped where a tmpfs may not be mounted)',
  async () => {
    const within = join(mount, 'log')
    mkdirSync(within)
    symlinkSync(within, join(directory, 'log'))
    const made = await loopbackEngine(directory)
    const { esdbPort } = made
    engine = made.engine
    await engine.start()
    const client = clientOf({ port: esdbPort }, { isAlone: true })
    await client.appendToStream('gone-1', jsonEvent({ type: 'thing.done', data: {} }))
    const ballast = join(mount, 'ballast')
    fill(ballast)

    const acknowledged: string[] = []
    const unanswered: ReturnType<typeof event>[] = []
    // What the log has set aside takes some still, and small ones where there is none for large ones.
    for (let n = 0; unanswered.length < 20; n++) {
      const sent = event(n, unanswered.length < 10 ? 8_000 : 0)
      const [way, failure] = WAYS[n % 2 === 0 ? 0 : 1]
      const heard = await client.appendToStream('thing-1', sent, way).then(
        () => 'acknowledged',
        (error: unknown) => error,
      )
      if (heard === 'acknowledged') acknowledged.push(sent.id)
      else {
        unanswered.push(sent)
        expect(heard).toBeInstanceOf(failure)
      }
    }
    expect(acknowledged.length).toBeGreaterThan(0)
    const read = async () => (await collect(client.readStream('thing-1'))).map(({ id }) => id)
    expect(await read()).toEqual(acknowledged)
    for (const [way, failure] of WAYS)
      expect(await rejection(client.setStreamMetadata('gone-1', { maxCount: 1 }, way))).toBeInstanceOf(
        failure,
      )
    expect(await rejection(client.deleteStream('gone-1'))).toBeInstanceOf(UnavailableError)
    expect(await rejection(client.tombstoneStream('gone-1'))).toBeInstanceOf(UnavailableError)
    expect(await collect(client.readStream('gone-1'))).toHaveLength(1)

    rmSync(ballast)
    for (const sent of unanswered) await sendUntilTaken(client, sent)
    await client.deleteStream('gone-1')
    const all = [...acknowledged, ...unanswered.map(({ id }) => id)]
    expect(await read()).toEqual(all)
    await engine.kill('SIGKILL')
    await engine.start()
    const again = clientOf({ port: esdbPort }, { isAlone: true })
    expect((await collect(again.readStream('thing-1'))).map(({ id }) => id)).toEqual(all)
    await Promise.all([client.dispose(), again.dispose()])
    expect(engine.output).not.toMatch(/esdb: /)
  },
  90_000,
)
