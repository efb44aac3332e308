import { hash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { Terminal } from '../../api/cli/command.ts'
import { main } from '../../api/cli.ts'
import { DATA_FORMAT } from '../../api/engine.ts'
import { systemClock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { guardClock } from '../../engine/intake/clock-guard.ts'
import { createIntake } from '../../engine/intake/intake.ts'
import { openQuarantine } from '../../engine/intake/quarantine.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { withCompressed } from '../../engine/log/embedded/compressed-files.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { systemFiles } from '../../engine/log/embedded/files.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { toPlain } from '../../engine/log/recorded.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { reassemble } from '../../engine/privacy/sealing.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import type { StoredRow, StoreReader } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import '../erasure/compiled-modules.ts'
import type { EngineProcess } from '../support/engine-process.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { projectorWorld } from '../support/projector-world.ts'

export const files = withCompressed(systemFiles)

/** A directory of a test's own. */
export function temporary(): { readonly path: (...names: string[]) => string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'headwater-backup-'))
  return {
    path: (...names) => join(root, ...names),
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The command line, in this process. */
export async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  nowMs: () => number = () => systemClock.nowMs(),
): Promise<Ran> {
  const out: string[] = []
  const err: string[] = []
  const plain = (text: string): string => text
  const terminal: Terminal = {
    env,
    clock: { nowMs, monotonicMs: () => systemClock.monotonicMs() },
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    style: { bold: plain, dim: plain, warn: plain },
    interactive: false,
    stdin: () => Promise.resolve(Buffer.alloc(0)),
    interruptible: (work) => work(new AbortController().signal),
  }
  const umask = process.umask()
  try {
    const code = await main(args, terminal)
    return { code, out: out.join('\n'), err: err.join('\n') }
  } finally {
    process.umask(umask)
  }
}

/** All events of a stopped installation. */
export async function eventsOf(data: string): Promise<readonly RecordedEvent[]> {
  const log = openEmbeddedReader(join(data, 'log'), undefined, files)
  const events: RecordedEvent[] = []
  for await (const batch of log.read()) events.push(...batch.map(toPlain))
  await log.close()
  return events
}

type Rows = Readonly<Record<string, readonly StoredRow[]>>

/** The read models that follow from these events under these keys, folded from nothing. */
export async function foldedRows(events: readonly RecordedEvent[], keys: string): Promise<Rows> {
  const log = createMemoryLog()
  for (const { position, revision, ...event } of events) {
    const [appended] = await log.append([{ event }])
    if (appended?._tag !== 'Right' || appended.right.position !== position) throw new Error(`at ${position}`)
    if (appended.right.revision !== revision) throw new Error(`revision at ${position}`)
  }
  const keyStore = openKeyStore(keys, { clock: systemClock, create: false })
  const world = intakeWorld({ log, keyStore })
  const folded = projectorWorld(world)
  await folded.foldAll()
  const rows = await folded.rows()
  await folded.close()
  await world.close()
  return rows
}

/** The read models of a stopped installation. */
export async function storedRows(data: string): Promise<Rows> {
  const specs = projections.map(({ name, table }) => ({ projection: name, table }))
  const reader = openSqliteReader(join(data, 'read-models.sqlite'), { specs })
  const all: Record<string, readonly StoredRow[]> = {}
  for (const { name } of projections) all[name] = await rowsOf(reader, name)
  await reader.close()
  return all
}

async function rowsOf(reader: StoreReader, projection: string): Promise<readonly StoredRow[]> {
  const rows: StoredRow[] = []
  let cursor: string | undefined
  do {
    const { value } = await reader.list({ projection, limit: 500, cursor })
    rows.push(...value.rows)
    cursor = value.next
  } while (cursor !== undefined)
  return rows
}

/** Path → content (Latin-1) of every file below a directory, but for the lock. */
export function contents(directory: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name)
    if (statSync(path).isFile() && !name.endsWith('lock.sqlite'))
      found[relative(directory, path)] = readFileSync(path, 'latin1')
  }
  return found
}

export const WITHOUT_NATS = { PATH: '' }

let number = 0

/** What some person did: named by their address, with an order or a deal now and then. */
export function personEvents(count: number, prefix = 'p'): readonly object[] {
  return Array.from({ length: count }, () => {
    number += 1
    const who = `${prefix}${number % 17}`
    const id = `e${number}`
    const email = `${who}@mail.example`
    switch (number % 4) {
      case 0:
        return {
          id,
          source: 'web',
          type: 'cdp.identify',
          data: { userId: who, traits: { email, firstName: `Name-${who}` } },
        }
      case 1:
        return {
          id,
          source: 'shop',
          type: 'Order Completed',
          data: { userId: who, email, order_id: `o${number}`, total: number, currency: 'EUR' },
        }
      case 2:
        return {
          id,
          source: 'web',
          type: 'cdp.page',
          data: { userId: who, name: 'Home', url: `https://a.example/${number}` },
        }
      default:
        return {
          id,
          source: 'crm',
          type: 'opportunity.created',
          data: {
            opportunity_id: `d${number}`,
            name: `Deal ${number}`,
            amount: number * 10,
            currency: 'EUR',
            stage: 'prospecting',
          },
        }
    }
  })
}

export interface Sent {
  readonly position: number
  readonly results: readonly {
    readonly status: string
    readonly position?: number
    readonly message?: string
  }[]
}

export async function send(engine: EngineProcess, events: readonly object[]): Promise<Sent> {
  const answer = await engine.post('/v1/events', JSON.stringify(events))
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`)
  return (await answer.json()) as Sent
}

/** A data directory with many small segments, and an intake over it, as long as it is open. */
export async function openInstallation(data: string, compression: 'zstd' | 'off' = 'off') {
  const opened = await openEmbeddedLog(join(data, 'log'), {
    ...{ segmentBytes: 12 * 1024, chunkBytes: 8 * 1024, files, compression },
  })
  if (opened._tag === 'Left') throw new Error(opened.left._tag)
  const log = opened.right
  const clock = systemClock
  const keyStore = openKeyStore(join(data, 'keys'), { clock })
  writeFileSync(join(data, 'FORMAT'), `${DATA_FORMAT}\n`)
  const quarantine = openQuarantine(join(data, 'quarantine'), keyStore, clock)
  const intake = createIntake({
    ...{ log, keyStore, quarantine, registry, clock, guard: guardClock(clock, log.head().received) },
    ...{ maxDepth: 64, eventLimitBytes: 1024 * 1024, queueEvents: 1_000, queueBytes: 16 * 1024 * 1024 },
    reassemble: (event) => reassemble(event, keyStore),
    onResult: () => undefined,
  })
  return {
    log,
    keyStore,
    /** One block for each call. */
    async send(...values: readonly unknown[]): Promise<readonly IntakeResult[]> {
      return intake.submit(
        values.map((value) => ({ value })),
        { defaultSource: 'web' },
      )
    },
    async add(count: number, prefix?: string): Promise<void> {
      const events = personEvents(count, prefix)
      for (let at = 0; at < count; at += EVENTS_A_BLOCK) {
        const results = await this.send(...events.slice(at, at + EVENTS_A_BLOCK))
        for (const { status } of results) if (status !== 'appended') throw new Error(status)
      }
    },
    /** Appends what an erasure says in the log, and does nothing else of it. */
    async sayErased(ids: readonly string[]): Promise<void> {
      const data = { certificate: `c-${ids[0]}`, erased: [...ids] }
      const { status } = await intake.record({ type: 'person.erased', id: `erased-${ids[0]}`, data })
      if (status !== 'appended') throw new Error(status)
    },
    async close(): Promise<void> {
      await intake.close()
      for (const part of [quarantine, keyStore, log]) await part.close()
    },
  }
}

const EVENTS_A_BLOCK = 25

export type Installed = Awaited<ReturnType<typeof openInstallation>>

/** Flips one bit of a file. */
export function flip(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes[offset] = (bytes[offset] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

export function masterKeyText(data: string): string {
  return readFileSync(join(data, 'keys', 'master.key')).toString('base64')
}

/** Path → SHA-256 of every file below a directory, but for the lock and what SQLite's readers leave beside a database. */
export function digests(directory: string): Readonly<Record<string, string>> {
  const entries = Object.entries(contents(directory)).filter(([path]) => !/-(?:shm|wal)$/.test(path))
  return Object.fromEntries(
    entries.map(([path, bytes]) => [path, hash('sha256', Buffer.from(bytes, 'latin1'))]),
  )
}
