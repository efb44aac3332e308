import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../engine/clock.ts'
import { type Compression, type EmbeddedLog, openEmbeddedLog } from '../engine/log/embedded/embedded.ts'
import type { OpenFailure } from '../engine/log/embedded/recovery.ts'
import type { OpenFailure as RemoteFailure } from '../engine/log/eventstore/remote-log.ts'
import type { Head, LogReader } from '../engine/log/log.ts'
import { type MirroredLog, openMirroredLog } from '../engine/log/mirrored.ts'
import { replicaObjection } from '../engine/log/mirrored-parts.ts'
import { makeDurably, writeDurably } from './backup/durable-files.ts'
import { EMBEDDED, shownLogAddress } from './log-address.ts'

export interface OpenLogOptions {
  readonly directory: string
  readonly workspace: string
  readonly clock: Clock
  readonly logCompression: Compression
  readonly indexMemoryBytes?: number | undefined
  /** `embedded`, the default, or EventStoreDB's connection string. */
  readonly eventLog?: string | undefined
  /**
   * Asked before a log in an EventStoreDB is taken over from whoever writes it: why not to, undefined for nothing. `isUnknown`: nothing
   * in the data directory says that this has been its log before.
   */
  readonly objection?:
    | ((remote: Pick<LogReader, 'head' | 'at'>, isUnknown: boolean) => Promise<string | undefined>)
    | undefined
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** The engine's log; `mirror`: the same where it lies in an EventStoreDB. */
export interface OpenedLog {
  readonly log: EmbeddedLog
  readonly mirror: MirroredLog | undefined
}

/** Stands beside `log/` while that is a replica. */
const REPLICA_MARK = 'log.replica'
/** Within the data directory: where the events of EventStoreDB lie. Can be made anew. */
export const INDEX = join('eventstore', 'index.sqlite')
/** A sender shouldn't have to wait much longer than a client of HTTP does. */
const PATIENCE_MS = 15_000

/** Left: a whole sentence that says what to do. */
export async function openLog(options: OpenLogOptions): Promise<E.Either<string, OpenedLog>> {
  const { directory, eventLog = EMBEDDED } = options
  const replicated = replicaOf(directory)
  if (eventLog === EMBEDDED && replicated !== undefined)
    return E.left(
      `log/ is a replica of ${replicated}: set HEADWATER_LOG to that, or remove ${join(directory, REPLICA_MARK)} to go on with what log/ has, without EventStoreDB`,
    )
  const opened = await openEmbedded(options)
  if (E.isLeft(opened)) return opened
  const replica = opened.right
  if (eventLog === EMBEDDED) return E.right({ log: replica, mirror: undefined })
  try {
    const mirror = await openMirror(options, eventLog, replica)
    if (E.isLeft(mirror)) await replica.close()
    return E.isLeft(mirror) ? mirror : E.right({ log: mirror.right, mirror: mirror.right })
  } catch (error) {
    await replica.close()
    throw error
  }
}

/** What `log/` is a replica of, as its address was shown; undefined: it is the log itself. */
export function replicaOf(directory: string): string | undefined {
  const path = join(directory, REPLICA_MARK)
  return existsSync(path) ? readFileSync(path, 'utf8').trim() || 'a log in EventStoreDB' : undefined
}

async function openEmbedded(options: OpenLogOptions): Promise<E.Either<string, EmbeddedLog>> {
  const opened = await openEmbeddedLog(join(options.directory, 'log'), {
    workspace: options.workspace,
    compression: options.logCompression,
    indexMemoryBytes: options.indexMemoryBytes,
    onNotice: (message) => options.onNotice('warn', message),
  })
  if (E.isLeft(opened)) {
    const { _tag } = opened.left
    const isReplica = replicaOf(options.directory) !== undefined
    const isBroken = _tag === 'Damaged' || _tag === 'SegmentMissing' || _tag === 'SegmentDuplicated'
    const anew = '. Or remove log/, which is a replica: the next start makes it anew from EventStoreDB'
    return E.left(explainOpen(opened.left) + (isReplica && isBroken ? anew : ''))
  }
  const torn = opened.right.tornTail
  if (torn !== undefined) {
    const { segment, offset, position } = torn
    options.onNotice(
      'warn',
      `the log ended in an unfinished block, never acknowledged: ${segment} was cut at byte ${offset}, after position ${position}`,
    )
  }
  return opened
}

async function openMirror(
  options: OpenLogOptions,
  eventLog: string,
  replica: EmbeddedLog,
): Promise<E.Either<string, MirroredLog>> {
  const { directory, workspace, clock, onNotice } = options
  // Its client takes a while to load, and few need it.
  const { isConnectionString, openEventStore } = await import('../engine/log/eventstore.ts')
  if (!isConnectionString(eventLog))
    return E.left("HEADWATER_LOG isn't a connection string that EventStoreDB's client reads")
  const shown = shownLogAddress(eventLog)
  const indexPath = join(directory, INDEX)
  makeDurably(join(directory, 'eventstore'))
  const open = () =>
    openEventStore(eventLog, {
      ...{ indexPath, clock, workspace, patienceMs: PATIENCE_MS },
      objection: async (remote) =>
        (await replicaObjection(remote, replica)) ??
        restoredObjection(options, shown, { remote: remote.head(), replica: replica.head() }) ??
        options.objection?.(remote, replica.head().position === 0 && replicaOf(directory) !== shown),
      onNotice: (message) => onNotice('warn', message),
    })
  const remote = await open()
  if (E.isLeft(remote)) return E.left(explainRemote(remote.left, shown))
  writeDurably(join(directory, REPLICA_MARK), `${shown}\n`)
  const behind = remote.right.head().position - replica.head().position
  if (behind > 0) onNotice('info', `log/ is filled with ${behind} events from ${shown}`)
  return E.right(
    await openMirroredLog(remote.right, replica, { onNotice: (message) => onNotice('warn', message) }),
  )
}

/** A replica has its mark, which no backup has: what lacks it and ends before the log doesn't know who came, and who was erased, since. */
function restoredObjection(
  { directory }: OpenLogOptions,
  shown: string,
  { remote, replica }: { readonly remote: Head; readonly replica: Head },
): string | undefined {
  const isOlder = replica.position > 0 && replica.position < remote.position
  if (!isOlder || replicaOf(directory) !== undefined) return undefined
  return (
    `log/ ends at position ${replica.position}, the log in ${shown} at ${remote.position}: ${directory} was restored from an older backup, it seems. ` +
    'Keys of people who were new since may be missing, which makes them somebody new, and whoever was erased since would be readable again. ' +
    "Copy the log (headwater copy --from HEADWATER_LOG's address --to DIR), and restore into another directory with the newest backup of the keys and --erasures DIR; " +
    `then put a line with ${shown} into ${REPLICA_MARK} there, to have log/ filled from EventStoreDB; nothing was changed`
  )
}

function explainRemote(failure: RemoteFailure, shown: string): string {
  switch (failure._tag) {
    case 'Unreachable':
      return `${shown}, which HEADWATER_LOG names, can't be used: ${failure.cause}. Start it or correct HEADWATER_LOG; nothing was changed`
    case 'Forgetful':
      return `${shown} is told to forget events of ${failure.streams.join(', ')} ($maxAge, $maxCount or $tb in the stream's metadata), which a log never may: set that metadata without these`
    case 'OtherWorkspace':
      return `the log in ${shown} belongs to the workspace ${failure.found}, not ${failure.expected}: check HEADWATER_LOG and HEADWATER_WORKSPACE`
    case 'Objection':
      return failure.cause
  }
}

function explainOpen(failure: OpenFailure): string {
  switch (failure._tag) {
    case 'AlreadyOpen':
      return `${failure.directory} is open in another process: stop that one first, or use another HEADWATER_DATA`
    case 'Damaged':
      return `${failure.damage.message}. Nothing was changed; restore the segment from a backup`
    case 'SegmentMissing':
      return `the log lacks the positions between ${failure.after} and ${failure.before} (before ${failure.next}): a segment is missing; restore it from a backup`
    case 'SegmentDuplicated':
      return `the log segment ${failure.segment} repeats positions from ${failure.first}: it is a copy of another; take it out`
    case 'UnsupportedFormat':
      return `the log segment ${failure.segment} has format ${failure.version}, which this release doesn't read: use a newer one`
    case 'OtherWorkspace':
      return `the log belongs to the workspace ${failure.found}, not ${failure.expected}: check HEADWATER_WORKSPACE`
  }
}
