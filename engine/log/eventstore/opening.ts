import { randomUUID } from 'node:crypto'
import * as E from 'fp-ts/lib/Either.js'
import type { LogReader } from '../log.ts'
import { dataBytes, MARKER_STREAM, MARKER_TYPE, markerOf } from './codec.ts'
import type { Connection, ConnectionFailure } from './connection.ts'
import type { IndexFile } from './index-file.ts'
import type { EventStoreLogOptions, OpenFailure } from './remote-log.ts'

/** Whether the index has nothing that `$all` lacks. One of another log, or of one that was since restored from a backup, must go. */
export async function isIndexOf(
  connection: Pick<Connection, 'readAll'>,
  index: Pick<IndexFile, 'newest' | 'checkpoint'>,
): Promise<boolean> {
  const newest = index.newest()
  // How far it has read says nothing of what: without an event of its own it is made anew, which costs it nothing.
  if (newest === undefined) return index.checkpoint().commit === undefined
  for await (const event of connection.readAll(newest.commit, 1)) {
    if (event.commit === newest.commit && event.id === newest.eventId) return true
  }
  return false
}

/** Why not to take over a log that the index has read up to its end. Whoever writes it now goes on doing so. */
export async function openRefusal(
  index: Pick<IndexFile, 'forgetful' | 'workspace'>,
  reads: Pick<LogReader, 'head' | 'at'>,
  { workspace, objection }: EventStoreLogOptions,
): Promise<OpenFailure | undefined> {
  const streams = index.forgetful()
  if (streams.length > 0) return { _tag: 'Forgetful', streams }
  const found = index.workspace()
  if (workspace !== undefined && found !== undefined && found !== workspace)
    return { _tag: 'OtherWorkspace', expected: workspace, found }
  const cause = await objection?.(reads)
  return cause === undefined ? undefined : { _tag: 'Objection', cause }
}

/**
 * The markers of one opening: they tell `$all` who writes from here on. Each has a name of its own, so one that comes late is
 * known for what it is, and what is written under the others doesn't count.
 */
export class Markers {
  readonly #connection: Pick<Connection, 'append'>
  readonly #workspace: string | undefined
  readonly #names = new Set<string>()
  #name = ''

  constructor(connection: Pick<Connection, 'append'>, workspace: string | undefined) {
    this.#connection = connection
    this.#workspace = workspace
  }

  /** Of the newest. */
  get name(): string {
    return this.#name
  }

  isOurs(name: string): boolean {
    return this.#names.has(name)
  }

  /** Another marker. */
  async mark(): Promise<ConnectionFailure | undefined> {
    const name = randomUUID()
    this.#name = name
    this.#names.add(name)
    const marker = {
      ...{ id: name, type: MARKER_TYPE, data: dataBytes({ dataText: '{}' }) },
      metadata: markerOf(name, this.#workspace),
    }
    const marked = await this.#connection.append(MARKER_STREAM, 'any', [marker])
    return E.isLeft(marked) ? marked.left : undefined
  }
}
