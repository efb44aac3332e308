import { basename, join } from 'node:path'
import { isZeroFrom } from '../block-search.ts'
import type { Files } from '../files.ts'
import type { SegmentList } from '../segment-list.ts'
import type { SegmentReader } from '../segment-reader.ts'
import { type Cover, covers } from './cover.ts'
import {
  INDEX_DIRECTORY,
  KEY_NAME,
  KEY_RUN_SUFFIX,
  SEGMENT_INDEX_SUFFIX,
  UNFINISHED_INDEX_SUFFIX,
} from './index-format.ts'
import type { IndexKeys } from './index-keys.ts'
import { KeyRun, keyRunName } from './key-run.ts'
import type { KeyTable } from './key-table.ts'
import { PageCache } from './page-cache.ts'
import { SegmentIndex, segmentIndexName } from './segment-index.ts'
import type { SegmentFilters } from './segment-index-builder.ts'

const CACHE_BYTES = 32 * 1024 * 1024

/** A segment's run of keys, as it was written. */
interface FreshKeys {
  readonly place: Pick<Cover, 'first' | 'last'>
  readonly filters: Pick<SegmentFilters, 'ids' | 'heads'>
}

/**
 * The index files that serve: of each sealed segment its own, and runs of keys that cover neighbouring ones. The filters of
 * as many as fit into `memoryBytes` stay in memory, those of runs first, newer ones first.
 */
export class IndexSet {
  readonly segments = new Map<number, SegmentIndex>()
  /** Oldest first; no segment is in two. */
  runs: readonly KeyRun[] = []
  /** Those that are damaged somewhere, and serve what they can until they are made anew. */
  readonly ailing = new Set<KeyRun>()
  /** What was made anew of those, by the first positions of its segments. */
  readonly #fresh = new Map<KeyRun, Map<number, FreshKeys>>()
  readonly #files: Files
  readonly #logDirectory: string
  readonly #directory: string
  readonly #memoryBytes: number
  /** Streams and ids that come again are often those that came lately. */
  readonly #cache = new PageCache(CACHE_BYTES)

  constructor(files: Files, logDirectory: string, memoryBytes: number) {
    this.#files = files
    this.#logDirectory = logDirectory
    this.#directory = join(logDirectory, INDEX_DIRECTORY)
    this.#memoryBytes = memoryBytes
  }

  /** Takes over the files that agree with the segments, and removes the others. */
  open(keys: IndexKeys, segments: SegmentList): void {
    const names = this.#files.list(this.#directory)
    const sealed = new Map(segments.firsts.slice(0, -1).map((first, at) => [first, at]))
    const sound = ({ keyCheck }: SegmentIndex | KeyRun, cover: Cover): boolean => {
      const at = sealed.get(cover.first)
      const ours = keys.check.every((byte, i) => keyCheck[i] === byte)
      return ours && at !== undefined && agrees(cover, segments, at)
    }
    for (const first of sealed.keys()) {
      if (!names.includes(segmentIndexName(first))) continue
      const opened = orUndefined(() => SegmentIndex.open(this.#files, this.#logDirectory, first, this.#cache))
      if (opened === undefined) continue
      if (sound(opened, opened.cover)) this.segments.set(first, opened)
      else opened.close()
    }
    const runs = names
      .filter((name) => name.endsWith(KEY_RUN_SUFFIX))
      .map((name) => orUndefined(() => KeyRun.open(this.#files, this.#logDirectory, name, this.#cache)))
      .filter((run) => run !== undefined)
    this.runs = chosen(runs, sound)
    for (const run of runs) if (!this.runs.includes(run)) run.close()
    this.#removeOthers(names)
    this.#loadFilters()
  }

  #removeOthers(names: readonly string[]): void {
    const kept = new Set([
      KEY_NAME,
      ...[...this.segments.keys()].map(segmentIndexName),
      ...this.runs.map((run) => run.name),
    ])
    const ours = [SEGMENT_INDEX_SUFFIX, KEY_RUN_SUFFIX, UNFINISHED_INDEX_SUFFIX]
    for (const name of names) {
      if (!kept.has(name) && ours.some((suffix) => name.endsWith(suffix))) this.#remove(name)
    }
  }

  #remove(name: string): void {
    try {
      this.#files.remove(join(this.#directory, name))
    } catch {
      // What is left is told apart by what it states, or is overwritten.
    }
  }

  /** A file whose filter is damaged doesn't serve. */
  #loadFilters(): void {
    for (const [file, tables] of this.#filters()) {
      if (orUndefined(() => tables.map((table) => table.loadFilter())) !== undefined) continue
      if (file instanceof KeyRun) this.#dropRun(file)
      else this.#dropSegment(file)
    }
    this.fit()
  }

  /** Those that fit, in the order of what they are worth. */
  *#filters(): Generator<readonly [KeyRun | SegmentIndex, readonly KeyTable[]]> {
    let room = this.#memoryBytes
    for (const [file, tables] of this.#byWorth()) {
      room -= tables.reduce((sum, table) => sum + table.filterBytes, 0)
      if (room >= 0) yield [file, tables]
    }
  }

  *#byWorth(): Generator<readonly [KeyRun | SegmentIndex, readonly KeyTable[]]> {
    for (const run of this.runs.toReversed()) yield [run, [run.ids, run.heads]]
    for (const segment of [...this.segments.values()].sort((a, b) => b.cover.first - a.cover.first))
      yield [segment, [segment.streams.table, segment.identities.table]]
  }

  /** Lets filters go that don't fit any more: look-ups then read a page of the file instead. */
  fit(): void {
    const kept = new Set([...this.#filters()].map(([file]) => file))
    for (const [file, tables] of this.#byWorth()) {
      if (!kept.has(file)) for (const table of tables) table.dropFilter()
    }
  }

  /** The file of a segment was written. Throws `IndexDamaged`. */
  useSegment(first: number, filters: Pick<SegmentFilters, 'streams' | 'identities'>): void {
    const index = SegmentIndex.open(this.#files, this.#logDirectory, first, this.#cache)
    index.streams.table.useFilter(filters.streams)
    index.identities.table.useFilter(filters.identities)
    this.segments.get(first)?.close()
    this.segments.set(first, index)
    this.fit()
  }

  /** A run was written, over a segment or, merged, over those of the runs that it replaces. Throws `IndexDamaged`. */
  useRun(
    { first, last }: Pick<Cover, 'first' | 'last'>,
    filters: Pick<SegmentFilters, 'ids' | 'heads'>,
    replaced: readonly KeyRun[] = [],
  ): void {
    this.#exchange([this.#openRun({ place: { first, last }, filters })], replaced)
  }

  #openRun({ place: { first, last }, filters }: FreshKeys): KeyRun {
    const run = KeyRun.open(this.#files, this.#logDirectory, keyRunName(first, last), this.#cache)
    run.ids.useFilter(filters.ids)
    run.heads.useFilter(filters.heads)
    return run
  }

  #exchange(added: readonly KeyRun[], replaced: readonly KeyRun[]): void {
    const rest = this.runs.filter((each) => !replaced.includes(each))
    this.runs = [...rest, ...added].sort((a, b) => a.first - b.first)
    for (const each of replaced) {
      each.close()
      // One that was made anew may have the same name.
      if (!added.some(({ name }) => name === each.name)) this.#remove(each.name)
    }
    this.fit()
  }

  /** The keys of one segment were written. One that a damaged run holds takes its place with the others of that run. */
  useKeys(place: FreshKeys['place'], filters: FreshKeys['filters']): void {
    const run = this.runOf(place.first)
    if (run === undefined) {
      this.useRun(place, filters)
      return
    }
    if (!this.ailing.has(run)) return
    const fresh = this.#fresh.get(run) ?? new Map<number, FreshKeys>()
    this.#fresh.set(run, fresh.set(place.first, { place, filters }))
    if (fresh.size < run.covers.length) return
    this.#fresh.delete(run)
    this.ailing.delete(run)
    this.#exchange(
      [...fresh.values()].map((each) => this.#openRun(each)),
      [run],
    )
  }

  /** Gives a damaged file up. Answers the segments that it stood for; none if it doesn't serve any more. */
  drop(damaged: string): readonly Cover[] {
    const run = this.runAt(damaged)
    if (run !== undefined) {
      this.#dropRun(run)
      return run.covers
    }
    const segment = [...this.segments.values()].find(({ path }) => path === damaged)
    if (segment === undefined) return []
    this.#dropSegment(segment)
    return [segment.cover]
  }

  runAt(path: string): KeyRun | undefined {
    return this.runs.find((run) => run.path === path)
  }

  #dropRun(run: KeyRun): void {
    this.runs = this.runs.filter((each) => each !== run)
    run.close()
    this.#remove(run.name)
  }

  #dropSegment(index: SegmentIndex): void {
    this.segments.delete(index.cover.first)
    index.close()
    this.#remove(basename(index.path))
  }

  /** The run that holds the keys of a segment. */
  runOf(first: number): KeyRun | undefined {
    return this.runs.find((run) => run.first <= first && first <= run.last)
  }

  get residentBytes(): number {
    let sum = this.#cache.sizeBytes
    for (const run of this.runs) sum += run.residentBytes
    for (const segment of this.segments.values()) sum += segment.residentBytes
    return sum
  }

  close(): void {
    for (const run of this.runs) run.close()
    for (const segment of this.segments.values()) segment.close()
    this.runs = []
    this.segments.clear()
  }
}

/** The widest runs whose segments are all as they say. */
function chosen(runs: readonly KeyRun[], sound: (run: KeyRun, cover: Cover) => boolean): readonly KeyRun[] {
  const taken = new Set<number>()
  const kept: KeyRun[] = []
  for (const run of runs.toSorted((a, b) => b.covers.length - a.covers.length)) {
    const follow = run.covers.every(({ previous }, i) => i === 0 || run.covers[i - 1]?.last === previous)
    if (!follow || !run.covers.every((cover) => !taken.has(cover.first) && sound(run, cover))) continue
    for (const { first } of run.covers) taken.add(first)
    kept.push(run)
  }
  return kept.sort((a, b) => a.first - b.first)
}

/** Whether a cover is that of the segment as it lies there: by its header, its length and the segment that follows. */
function agrees(cover: Cover, segments: SegmentList, at: number): boolean {
  return (
    orUndefined(() => {
      const segment = segments.at(at)
      const next = segments.at(at + 1)
      if (segment === undefined || next === undefined) return false
      return (
        covers(cover, segment.header) && next.header.previous === cover.last && endsAt(segment, cover.end)
      )
    }) ?? false
  )
}

function endsAt(segment: SegmentReader, end: number): boolean {
  const sizeBytes = segment.file.sizeBytes()
  return sizeBytes === end || (sizeBytes > end && isZeroFrom(segment.file, end))
}

/** Undefined where it can't be read: what is wrong is found by those who read the log. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
