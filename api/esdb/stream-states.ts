import { BoundedCache } from '../../engine/bounded-cache.ts'
import type { Appended, EsdbBackend, EsdbRecord, StreamRead } from './backend.ts'
import { metadataOf, OF_METASTREAMS, type StreamMetadata } from './stream-metadata.ts'
import { DELETED_TYPE, metastreamOf, originalOf } from './system-names.ts'

/** What a stream's metastream says of it. */
export interface Control {
  /** Of the metastream's last durable event. */
  readonly position: number
  readonly revision: number
  readonly isTombstone: boolean
  readonly metadata: StreamMetadata
}

export type StreamView =
  | { readonly kind: 'missing' }
  /** By a tombstone. */
  | { readonly kind: 'deleted' }
  | {
      readonly kind: 'visible'
      /** The first revision that is seen; behind `last`: none. */
      readonly first: number
      readonly last: number
      /** In revisions; what is hidden is left out. */
      readonly read: (read: StreamRead) => AsyncIterable<readonly EsdbRecord[]>
    }

const REMEMBERED = 10_000

type Backend = Pick<EsdbBackend, 'streamHead' | 'readStream'>

/** What is seen of streams, by their metadata. Asked anew each time, since others write to the log too; what it reads is remembered. */
export class StreamStates {
  readonly #backend: Backend
  readonly #nowMs: () => number
  readonly #controls = new BoundedCache<string, Control>(REMEMBERED)
  /** By stream and position of the metadata: where the last search for what they show ended. */
  readonly #found = new BoundedCache<string, number>(REMEMBERED)

  constructor(backend: Backend, nowMs: () => number) {
    this.#backend = backend
    this.#nowMs = nowMs
  }

  /** undefined: nothing was ever said of the stream. */
  async controlOf(stream: string): Promise<Control | undefined> {
    const metastream = metastreamOf(stream)
    const head = await this.#backend.streamHead(metastream)
    if (head === undefined) return undefined
    const known = this.#controls.get(stream)
    if (known?.position === head.position) return known
    const last = await this.#last(metastream)
    // Under way still.
    if (last === undefined) return undefined
    const control = {
      position: last.position,
      revision: last.revision,
      // Nothing is appended behind one.
      isTombstone: last.type === DELETED_TYPE,
      metadata: metadataOf(last.isJson ? last.data : NONE),
    }
    this.#controls.set(stream, control)
    return control
  }

  /** The last metadata as they were sent. */
  async metadataBytes(stream: string): Promise<Uint8Array> {
    return (await this.#last(metastreamOf(stream)))?.data ?? NONE
  }

  /** Whether it was deleted and not written again. */
  async isDeleted(stream: string, { metadata, position }: Control): Promise<boolean> {
    if (metadata.truncateBefore !== 'deleted') return false
    const head = await this.#backend.streamHead(stream)
    return head === undefined || head.position < position
  }

  /** The first revision that was, or will be, written after the stream was deleted. */
  async firstAfterDeletion(stream: string, control: Control): Promise<number> {
    const head = await this.#backend.streamHead(stream)
    if (head === undefined) return 0
    if (head.position < control.position) return head.revision + 1
    const key = `${control.position} ${stream}`
    const known = this.#found.get(key)
    if (known !== undefined) return known
    const isAfter = (record: EsdbRecord): boolean => record.position > control.position
    const found = await this.#search(stream, 0, head.revision, isAfter)
    this.#found.set(key, found)
    return found
  }

  async view(stream: string): Promise<StreamView> {
    const original = originalOf(stream)
    const control = await this.controlOf(original ?? stream)
    if (control?.isTombstone === true) return { kind: 'deleted' }
    const head = await this.#backend.streamHead(stream)
    if (head === undefined) return { kind: 'missing' }
    if (original !== undefined) return this.#visible(stream, countedFrom(head, OF_METASTREAMS), head.revision)
    if (control === undefined) return this.#visible(stream, 0, head.revision)
    if (await this.isDeleted(stream, control)) return { kind: 'missing' }
    return this.#visible(stream, await this.#firstOf(stream, control, head), head.revision)
  }

  async #firstOf(
    stream: string,
    control: Control,
    head: { readonly revision: number; readonly position: number },
  ): Promise<number> {
    const { truncateBefore, maxAgeMs } = control.metadata
    const cut =
      truncateBefore === 'deleted' ? await this.firstAfterDeletion(stream, control) : (truncateBefore ?? 0)
    const first = Math.max(cut, countedFrom(head, control.metadata))
    if (maxAgeMs === undefined || first > head.revision) return first
    const key = `${control.position} age ${stream}`
    const oldestMs = this.#nowMs() - maxAgeMs
    // Events are written in the order of time, and time only hides more of them.
    const from = Math.max(first, this.#found.get(key) ?? 0)
    const found = await this.#search(stream, from, head.revision, ({ createdMs }) => createdMs >= oldestMs)
    this.#found.set(key, found)
    return found
  }

  #visible(stream: string, first: number, last: number): StreamView {
    return { kind: 'visible', first, last, read: (read) => this.#read(stream, first, last, read) }
  }

  async *#read(
    stream: string,
    first: number,
    last: number,
    { direction, from, limit }: StreamRead,
  ): AsyncGenerator<readonly EsdbRecord[]> {
    if (direction === 'forwards') {
      yield* this.#backend.readStream(stream, { direction, from: Math.max(from ?? 0, first), limit })
      return
    }
    const begin = Math.min(from ?? last, last)
    const most = Math.min(limit, begin - first + 1)
    if (most > 0) yield* this.#backend.readStream(stream, { direction, from: begin, limit: most })
  }

  /** The first revision from `low` on of which it holds, as it then does of all later ones; `high + 1`: of none. */
  async #search(
    stream: string,
    low: number,
    high: number,
    holds: (record: EsdbRecord) => boolean,
  ): Promise<number> {
    let [from, until, step] = [low, high + 1, 1]
    while (from < until) {
      // The next few are the likeliest: time has moved little since the last search.
      const middle = Math.min(from + step - 1, from + Math.floor((until - from) / 2))
      const record = await firstOf(
        this.#backend.readStream(stream, { direction: 'forwards', from: middle, limit: 1 }),
      )
      if (record === undefined || holds(record)) until = middle
      else from = middle + 1
      step *= 4
    }
    return from
  }

  #last(stream: string): Promise<EsdbRecord | undefined> {
    return firstOf(this.#backend.readStream(stream, { direction: 'backwards', from: undefined, limit: 1 }))
  }
}

const NONE = new Uint8Array()

async function firstOf(batches: AsyncIterable<readonly EsdbRecord[]>): Promise<EsdbRecord | undefined> {
  for await (const [first] of batches) return first
  return undefined
}

function countedFrom(head: NonNullable<Appended>, { maxCount }: StreamMetadata): number {
  return maxCount === undefined ? 0 : Math.max(0, head.revision - maxCount + 1)
}
