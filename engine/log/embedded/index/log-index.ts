import { type Appended, IndexUnavailable, type StreamReadOptions } from '../../log.ts'
import { selectPositions } from '../../positions.ts'
import type { Block } from '../block-decoder.ts'
import type { Files } from '../files.ts'
import type { BlockPlace } from '../segment-reader.ts'
import { AskedIds } from './asked-ids.ts'
import { gatherSegment, readSegment } from './build-segment-index.ts'
import type { Cover } from './cover.ts'
import { IndexDamaged } from './index-file.ts'
import { type IndexKeys, identityWords } from './index-keys.ts'
import type { IndexSet } from './index-set.ts'
import type { KeyRun } from './key-run.ts'
import { SegmentIndexBuilder } from './segment-index-builder.ts'
import { type HashedBlock, type IndexedBlock, SegmentMemory } from './segment-memory.ts'

export interface LogIndexOptions {
  readonly files: Files
  readonly logDirectory: string
  readonly keys: IndexKeys
  readonly set: IndexSet
  /** Told what an operator should know. */
  readonly onNotice: (message: string) => void
}

/** What positions are asked of. */
export type Subject = { readonly kind: 'stream' | 'identity'; readonly name: string }

interface Asked extends Subject {
  readonly words: Uint32Array
}

const NONE: readonly number[] = Object.freeze([])

/**
 * Which positions belong to an id, a stream or an identity: of the segment that is written, and of sealed ones whose files
 * aren't there yet, from memory; of the others from their files. Answers are always complete. A segment's file that turns
 * out to be damaged is replaced before the question is answered; a run of keys, which may stand for many segments, is made
 * anew in the background, and meanwhile whatever it can't tell follows from the segments' files, or isn't answered.
 */
export class LogIndex {
  readonly #options: LogIndexOptions
  readonly #set: IndexSet
  readonly #keys: IndexKeys
  readonly #asked: AskedIds
  #active: SegmentMemory
  /** The first position of the segment that is written; undefined while it has none. */
  #activeFirst: number | undefined
  /** Sealed segments that memory serves, by their first positions. */
  readonly #memories = new Map<number, SegmentMemory>()
  /** What knows ids and stream heads besides the active segment, newest first. */
  #older: readonly (SegmentMemory | KeyRun)[] = []
  /** Segments a file of which was found damaged and replaced: once is an accident. */
  readonly #repaired = new Set<number>()
  #rebuild: ((run: KeyRun) => void) | undefined
  #lastHead: { readonly stream: string; readonly head: Appended | undefined } | undefined
  readonly #hashed = new Uint32Array(2)
  readonly #name = new Uint32Array(4)
  #found: number[] = []

  constructor(options: LogIndexOptions) {
    this.#options = options
    this.#set = options.set
    this.#keys = options.keys
    this.#asked = new AskedIds(options.keys.id)
    this.#active = new SegmentMemory(options.keys)
    this.changed()
  }

  /** Whoever makes the files of a damaged run's segments anew. */
  rebuildBy(rebuild: (run: KeyRun) => void): void {
    this.#rebuild = rebuild
  }

  /** Files or memories came or went. */
  changed(): void {
    const memories = [...this.#memories.values()].filter(
      (memory) => this.#set.runOf(memory.first) === undefined,
    )
    this.#older = [...this.#set.runs, ...memories].sort((a, b) => b.first - a.first)
    this.#lastHead = undefined
  }

  /** The head after a sealed segment whose files vouch for it. */
  trusted(first: number): Cover | undefined {
    return this.#set.runOf(first) === undefined ? undefined : this.#set.segments.get(first)?.cover
  }

  /** Takes a sealed segment in that has to be read. */
  read(first: number): { add(block: Block, place: BlockPlace): void; done(cover: Cover): void } {
    const builder = new SegmentIndexBuilder(this.#keys, first)
    return {
      add: (block, place) => builder.add(block, place),
      done: (cover) => {
        this.#serve(builder, cover)
        this.changed()
      },
    }
  }

  /** By files, or, where they can't be written, from memory. */
  #serve(builder: SegmentIndexBuilder, cover: Cover): void {
    const { files, logDirectory, onNotice } = this.#options
    try {
      if (!this.#set.segments.has(cover.first)) {
        this.#set.useSegment(cover.first, builder.writeSegment(files, logDirectory, cover))
      }
      if (this.#set.runOf(cover.first) === undefined) {
        this.#set.useRun(cover, builder.writeKeys(files, logDirectory, cover))
      }
    } catch (error) {
      onNotice(`the index of the segment from ${cover.first} on stays in memory: ${messageOf(error)}`)
      this.#remember(cover)
    }
  }

  #remember({ first, last }: Cover): void {
    const { files, logDirectory } = this.#options
    const memory = new SegmentMemory(this.#keys)
    readSegment(files, logDirectory, first, last, (block) => memory.add(block))
    this.#memories.set(first, memory)
  }

  /**
   * The next block goes into the segment that begins at `first`. Answers the segment that is sealed by that, if one is:
   * slots then mean nothing any more.
   */
  enter(first: number): { readonly first: number; readonly last: number } | undefined {
    if (this.#activeFirst === first) return undefined
    const sealed = this.#activeFirst === undefined ? undefined : this.#active
    this.#activeFirst = first
    if (sealed === undefined || sealed.first === 0) return undefined
    this.#memories.set(sealed.first, sealed)
    this.#active = new SegmentMemory(this.#keys)
    this.changed()
    return { first: sealed.first, last: sealed.last }
  }

  /** The next durable block. */
  add(block: IndexedBlock): void {
    this.#active.add(block)
  }

  /** The same for one that was just written. */
  addHashed(block: HashedBlock): void {
    this.#active.addHashed(block)
  }

  /** Puts the hash of a source and id there, which is what they will be looked for under. */
  hashId(source: string, id: string, out: Uint32Array): void {
    this.#asked.hash(source, id, out)
  }

  /** A segment's files serve now. */
  forget(first: number): void {
    if (this.trusted(first) !== undefined) this.#memories.delete(first)
    this.changed()
  }

  /** A number that stands for the stream until a segment is sealed; undefined for one that isn't in use. */
  slot(stream: string): number | undefined {
    return this.#active.slot(stream)
  }

  makeSlot(stream: string): number {
    return this.#active.slot(stream) ?? this.#active.makeSlot(stream, this.olderHead(stream))
  }

  /** Last revision and position of a stream; undefined if none of its events is durable. */
  head(slot: number): Appended | undefined {
    return this.#active.head(slot)
  }

  /** Of a stream before the active segment. */
  olderHead(stream: string): Appended | undefined {
    if (this.#lastHead?.stream === stream) return this.#lastHead.head
    const head = this.#whole(() => this.#findHead(stream))
    this.#lastHead = { stream, head }
    return head
  }

  #findHead(stream: string): Appended | undefined {
    if (this.#older.length === 0) return undefined
    this.#keys.name(stream, this.#name)
    for (const part of this.#older) {
      const head = part instanceof SegmentMemory ? part.headOf(stream) : this.#runHead(part, stream)
      if (head !== undefined) return head
    }
    return undefined
  }

  #runHead(run: KeyRun, stream: string): Appended | undefined {
    try {
      return run.head(this.#name)
    } catch (error) {
      if (!(error instanceof IndexDamaged) || !this.#set.ailing.has(run)) throw error
      return this.#listedHead(stream, run)
    }
  }

  /** A stream's head in a run's segments, from their own files: its revisions are 0, 1, 2 … */
  #listedHead(stream: string, run: KeyRun): Appended | undefined {
    const asked: Asked = { kind: 'stream', name: stream, words: this.#name }
    const until = this.#firsts('forwards').filter((first) => first <= run.last)
    const lists = until.map((first) => this.#list(asked, first))
    const position = lists.findLast((list) => list.length > 0)?.at(-1)
    if (position === undefined || position < run.first) return undefined
    return { position, revision: lists.reduce((sum, list) => sum + list.length, 0) - 1 }
  }

  /** Positions that may hold the key. Throws `IndexUnavailable`. */
  candidates(source: string, id: string): readonly number[] {
    this.#asked.ask(source, id, this.#hashed)
    this.#whole(() => this.#findCandidates())
    if (this.#found.length === 0) return NONE
    const found = this.#found
    this.#found = []
    return found
  }

  #findCandidates(): void {
    this.#found.length = 0
    this.#active.candidates(this.#hashed, this.#found)
    for (const part of this.#older) part.candidates(this.#hashed, this.#found)
  }

  /** The positions of a stream or identity that a read visits, in its direction. Durable up to `head`. */
  *positions(subject: Subject, options: StreamReadOptions, head: number): Generator<number> {
    const { direction = 'forwards', from, limit = Number.POSITIVE_INFINITY } = options
    const words = new Uint32Array(4)
    if (subject.kind === 'stream') this.#keys.name(subject.name, words)
    else if (!identityWords(subject.name, words)) return
    let room = limit
    for (const first of this.#firsts(direction)) {
      if (room <= 0) return
      const passed =
        from !== undefined && (direction === 'forwards' ? this.#last(first) < from : first > from)
      if (passed || first > head) continue
      const list = this.#whole(() => this.#list({ ...subject, words }, first))
      for (const position of selectPositions(list, { direction, from })) {
        if (position > head) continue
        if (room-- <= 0) return
        yield position
      }
    }
  }

  /** Of all segments, in this order. */
  #firsts(direction: 'forwards' | 'backwards'): readonly number[] {
    const firsts = new Set([...this.#set.segments.keys(), ...this.#memories.keys()])
    if (this.#active.first > 0) firsts.add(this.#active.first)
    return [...firsts].sort((a, b) => (direction === 'forwards' ? a - b : b - a))
  }

  #last(first: number): number {
    const memory = this.#memories.get(first) ?? this.#active
    return this.#set.segments.get(first)?.cover.last ?? memory.last
  }

  #list({ kind, name, words }: Asked, first: number): readonly number[] {
    const file = this.#set.segments.get(first)
    if (file !== undefined) {
      const table = kind === 'stream' ? file.streams : file.identities
      return table.list(words).map((position) => position + first)
    }
    const memory = this.#memories.get(first) ?? this.#active
    return kind === 'stream' ? memory.streamPositions(name) : memory.identityPositions(name)
  }

  /** Asks again when a damaged file was replaced. */
  #whole<T>(ask: () => T): T {
    for (;;) {
      try {
        return ask()
      } catch (error) {
        if (!(error instanceof IndexDamaged)) throw error
        const run = this.#set.runAt(error.path)
        if (run !== undefined && this.#set.ailing.has(run))
          throw new IndexUnavailable('a part of the index of ids is being made anew')
        this.replace(error.path, error.message)
      }
    }
  }

  /**
   * Makes a damaged file anew from the segments that it stood for: a run in the background, if it is for the first time.
   * Throws `LogDamaged`.
   */
  replace(path: string, message: string): void {
    const run = this.#set.runAt(path)
    if (run !== undefined && this.#set.ailing.has(run)) return
    if (run !== undefined && this.#rebuild !== undefined && !this.#wasRepaired(run)) {
      for (const { first } of run.covers) this.#repaired.add(first)
      this.#options.onNotice(`${message}: it is made anew from the log, in the background`)
      this.#set.ailing.add(run)
      this.#rebuild(run)
      return
    }
    this.#options.onNotice(`${message}: it is made anew from the log`)
    for (const cover of this.#set.drop(path)) {
      if (this.#repaired.has(cover.first)) {
        this.#remember(cover)
        continue
      }
      this.#repaired.add(cover.first)
      const { files, logDirectory } = this.#options
      this.#serve(gatherSegment(files, logDirectory, this.#keys, cover).builder, cover)
    }
    this.changed()
  }

  #wasRepaired({ covers }: KeyRun): boolean {
    return covers.some(({ first }) => this.#repaired.has(first))
  }

  /** Memory that it takes: of segments that aren't indexed in files, and what stays in memory of the files. */
  sizeBytes(): number {
    let sum = this.#active.sizeBytes + this.#set.residentBytes
    for (const memory of this.#memories.values()) sum += memory.sizeBytes
    return sum
  }

  close(): void {
    this.#set.close()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
