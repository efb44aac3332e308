import type { RecordedEvent } from '../../events/event.ts'
import { LogDamaged } from '../log.ts'
import { envelopeOf, recordedOf } from './codec.ts'
import { type Connection, ConnectionFailed, type StoredEvent } from './connection.ts'
import type { Row } from './index-file.ts'

/** Events with fewer others between them are read in one go, with what lies between. */
const NEAR = 8
/** Reads at once. */
const READS = 8
const ATTEMPTS = 6
const FIRST_PAUSE_MS = 50

export interface FetchOptions {
  readonly connection: Connection
  readonly pause: (ms: number) => Promise<void>
}

/** The events of the rows, in the rows' order. Throws `LogDamaged` where one is gone, `ConnectionFailed` where the server stays away. */
export async function fetchEvents(
  rows: readonly Row[],
  options: FetchOptions,
): Promise<readonly RecordedEvent[]> {
  const runs = runsOf(rows)
  const found = new Map<number, StoredEvent>()
  let next = 0
  const reader = async (): Promise<void> => {
    for (let run = runs[next++]; run !== undefined; run = runs[next++]) await readRun(run, found, options)
  }
  await Promise.all(Array.from({ length: Math.min(READS, runs.length) }, reader))
  return rows.map((row) => decoded(row, found.get(row.commit)))
}

/** By commit position, those that lie near each other together. */
function runsOf(rows: readonly Row[]): readonly (readonly Row[])[] {
  const runs: Row[][] = []
  for (const row of [...rows].sort((a, b) => a.commit - b.commit)) {
    const run = runs.at(-1)
    const last = run?.at(-1)
    if (run === undefined || last === undefined || row.arrival - last.arrival > NEAR) runs.push([row])
    else run.push(row)
  }
  return runs
}

async function readRun(
  run: readonly Row[],
  found: Map<number, StoredEvent>,
  { connection, pause }: FetchOptions,
): Promise<void> {
  for (let attempt = 1, pauseMs = FIRST_PAUSE_MS; ; attempt++, pauseMs *= 2) {
    try {
      await readOnce(run, found, connection)
      return
    } catch (error) {
      const isAway = error instanceof ConnectionFailed && error.failure._tag === 'Away'
      if (!isAway || attempt === ATTEMPTS) throw error
      await pause(pauseMs)
    }
  }
}

async function readOnce(
  run: readonly Row[],
  found: Map<number, StoredEvent>,
  connection: Connection,
): Promise<void> {
  const wanted = new Set(run.map(({ commit }) => commit).filter((commit) => !found.has(commit)))
  const span = (run.at(-1)?.arrival ?? 0) - (run[0]?.arrival ?? 0)
  while (wanted.size > 0) {
    const from = Math.min(...wanted)
    let seen = 0
    // Not broken off: the server sends no more than this, and a read that is broken off lingers in the client.
    const maxCount = wanted.size === 1 ? 1 : Math.max(wanted.size, span + 1)
    for await (const event of connection.readAll(from, maxCount)) {
      seen++
      if (wanted.delete(event.commit)) found.set(event.commit, event)
    }
    // Nothing there: whoever asked tells which event is gone.
    if (seen === 0 || wanted.has(from)) return
  }
}

function decoded(row: Row, event: StoredEvent | undefined): RecordedEvent {
  const envelope = event === undefined ? undefined : envelopeOf(event)
  if (event === undefined || envelope === undefined)
    throw new LogDamaged(
      '$all',
      row.commit,
      row.position,
      row.position + 1,
      'the event is gone from EventStoreDB',
    )
  return recordedOf(event, envelope, { position: row.position, revision: row.revision })
}
