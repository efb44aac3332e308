import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Files, LogFile } from '../../engine/log/embedded/files.ts'
import type { Log, LogReader } from '../../engine/log/log.ts'
import { toPlain } from '../../engine/log/recorded.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import type { Projector } from '../../engine/projector/projector.ts'
import type { Commit, StoreWriter } from '../../engine/store/store.ts'
import { BlockDisk } from './block-disk.ts'
import type { Seams } from './life.ts'
import { Random } from './random.ts'

/** Bugs that the simulation must find: each is one part of the engine that now and then does what it mustn't. */
export const BUGS: Readonly<Record<string, (seed: number) => Seams>> = {
  /** Rows are committed, and where they stand isn't. */
  drop_a_checkpoint: (seed) => ({ store: onCommit(seed, 50, withoutCheckpoint) }),
  /** A commit is said to be done and wasn't. */
  lose_a_commit: (seed) => ({ store: onCommit(seed, 5, () => undefined) }),
  /** The projector gets some events twice. */
  apply_twice: (seed) => ({
    followed: following(seed, (random, event) => (random.percent(3) ? [event, event] : [event])),
  }),
  /** … or one late, in place of its neighbour. */
  skip_an_event: (seed) => ({
    followed: following(seed, (random, event) => (random.percent(2) ? [] : [event])),
  }),
  /** A crash takes what was durable. */
  lose_the_last_block: () => ({
    crashed: ({ log }) => {
      if (log instanceof BlockDisk) log.loseLast()
    },
  }),
  /** A steward's cut is not heard of. */
  forget_a_cut: (seed) => ({
    followed: following(seed, (_, event) => [
      event.type === 'identity.cut' ? { ...event, identities: [] } : event,
    ]),
  }),
  /** Published identity rules aren't heard of. */
  ignore_identity_rules: () => ({ followed: without('identity') }),
  /** Published survivorship rules likewise: builds go on as they were. */
  ignore_survivorship_rules: () => ({ followed: without('survivorship') }),
  /** Evidence isn't stored: after a restart nobody knows what was cut or linked. */
  forget_evidence: (seed) => ({ store: onCommit(seed, 100, (commit) => ({ ...commit, evidence: [] })) }),
  /** Regrouped atoms' rows are left as they were. */
  forget_membership: (seed) => ({
    store: onCommit(seed, 30, (commit) => ({ ...commit, members: new Map() })),
  }),
  /** Senders are told before anything is durable. */
  acknowledge_before_durable: () => ({ log: acknowledgingEarly }),
  /** The log doesn't know ids again. */
  forget_ids: (seed) => ({ log: forgettingIds(new Random(seed)) }),
  /** The log acknowledges what it has written and not synced. */
  acknowledge_unsynced: () => ({ files: neverSyncing }),
  /** Events are appended before the keys that they are sealed under are durable. */
  keys_not_flushed: (seed) => ({ keyWriter: losingKeys(new Random(seed)) }),
  /** What was folded under destroyed keys stays. */
  skip_an_erasure: () => ({
    reads: (reads) => ({ ...reads, erase: async () => ({ keys: 0, position: 0, purged: true }) }),
  }),
  /** Readers who wait for a position don't. */
  answer_too_early: () => ({ projector: answeringAtOnce }),
  /** Of a build that doesn't serve, where it stands isn't committed: a switch to it then goes back. */
  switch_without_checkpoint: (seed) => ({ store: onCommit(seed, 100, withoutWaiting) }),
  /** A waiting build serves by itself. */
  switch_unasked: (seed) => ({ store: switchingUnasked(new Random(seed)) }),
  /** What is folded as of a moment sees the event after it. */
  past_sees_too_much: () => ({ moment: later }),
  /** Events that can't be folded are passed over in silence. */
  forget_poison: (seed) => ({ store: onCommit(seed, 100, (commit) => ({ ...commit, poison: [] })) }),
}

type Changed = (commit: Commit, writer: StoreWriter) => Commit | undefined

/** A store that changes some commits; undefined: it drops them. */
function onCommit(seed: number, chance: number, changed: Changed): Seams['store'] {
  const random = new Random(seed)
  return (writer) =>
    new Proxy(writer, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        if (name !== 'commit' && name !== 'commitInSteps') return value.bind(target)
        return (commit: Commit) => {
          const isHit = commit.position > 0 && random.percent(chance)
          const taken = isHit ? changed(commit, target) : commit
          return taken === undefined ? [][Symbol.iterator]() : Reflect.apply(value, target, [taken])
        }
      },
    })
}

function withoutCheckpoint(commit: Commit, writer: StoreWriter): Commit {
  return { ...commit, ...writer.checkpoint() }
}

function withoutWaiting(commit: Commit, writer: StoreWriter): Commit {
  const serving = new Set(writer.builds().flatMap(({ build, serving }) => (serving ? [build] : [])))
  return { ...commit, builds: commit.builds.filter((build) => serving.has(build)) }
}

/** After some commits one of the builds that have got as far as the others serves. */
function switchingUnasked(random: Random): Seams['store'] {
  return onCommit(random.below(1_000), 100, (commit, writer) => {
    const { position } = writer.checkpoint()
    const waiting = writer.builds().find((build) => !build.serving && build.position === position)
    const serving = writer
      .builds()
      .find((build) => build.serving && build.projection === waiting?.projection && random.percent(5))
    if (waiting !== undefined && serving !== undefined) writer.serve(waiting.build, [serving.build])
    return commit
  })
}

function later(moment: Moment): Moment {
  return { ...moment, position: moment.position + 1 }
}

/** A log whose subscribers get something else for an event. */
function following(
  seed: number,
  instead: (random: Random, event: RecordedEvent) => readonly RecordedEvent[],
): Seams['followed'] {
  const random = new Random(seed)
  return (log: LogReader) => ({
    ...readingOf(log),
    async *subscribe(options) {
      for await (const batch of log.subscribe(options)) {
        const changed = batch.flatMap((event) => instead(random, toPlain(event)))
        if (changed.length > 0) yield changed
      }
    },
  })
}

/** However the log is read. */
function without(kind: string): Seams['followed'] {
  async function* changed(read: AsyncIterable<readonly RecordedEvent[]>) {
    for await (const batch of read) yield batch.map((event) => withoutRules(event, kind))
  }
  return (log: LogReader) => ({
    ...readingOf(log),
    read: (options) => changed(log.read(options)),
    subscribe: (options) => changed(log.subscribe(options)),
  })
}

function withoutRules(recorded: RecordedEvent, kind: string): RecordedEvent {
  const event = toPlain(recorded)
  const isIt = event.type === 'rules.published' && event.data['kind'] === kind
  return isIt ? { ...event, data: { ...event.data, rules: {} } } : event
}

function readingOf(log: LogReader): LogReader {
  return {
    head: () => log.head(),
    read: (options) => log.read(options),
    readBackwards: (options) => log.readBackwards(options),
    at: (position) => log.at(position),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
  }
}

function acknowledgingEarly(log: Log): Log {
  return {
    ...log,
    async append(appends) {
      return appends.map((append) => {
        const before = log.streamHead(append.event.stream)?.position
        const appended = log.append([append])
        const place = log.streamHead(append.event.stream)
        void appended
        // What isn't taken is nobody's business here.
        return place === undefined || place.position === before
          ? E.left({ _tag: 'LogClosed' })
          : E.right(place)
      })
    },
  }
}

function forgettingIds(random: Random): Seams['log'] {
  return (log) => ({
    ...log,
    idCandidates: (source, id) => (random.percent(20) ? [] : log.idCandidates(source, id)),
  })
}

function losingKeys(random: Random): Seams['keyWriter'] {
  return (writer) => ({
    async write(operations) {
      const kept = operations.filter(({ kind }) => kind !== 'data_key' || !random.percent(10))
      return writer.write(kept)
    },
    close: () => writer.close(),
  })
}

function answeringAtOnce(projector: Projector): Projector {
  return { ...projector, read: (read) => projector.read({ ...read, after: 0 }) }
}

function neverSyncing(files: Files): Files {
  const unsynced = (file: LogFile): LogFile => ({
    read: (into, offset) => file.read(into, offset),
    write: (bytes, offset) => file.write(bytes, offset),
    sync: () => undefined,
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
  })
  return {
    ...files,
    openWrite: (path) => unsynced(files.openWrite(path)),
    create: (path) => unsynced(files.create(path)),
  }
}
