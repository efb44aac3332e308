import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import type { NewEvent } from '../../events/event.ts'
import { checkExpected, nextPlace } from '../expected.ts'
import type { AppendEvent, Appended, Head, LogFailure } from '../log.ts'
import { type AppendResult, AppendTicket } from './append-ticket.ts'
import { BlockEncoder, type EncoderMark } from './block-encoder.ts'
import type { CommitSide } from './commit-side.ts'
import type { CommitReport } from './committer.ts'
import { BLOCK_TARGET_BYTES, KIB, MAX_BATCH_BYTES, MAX_BLOCK_BYTES, MAX_EVENT_BYTES, MIB } from './format.ts'
import type { LogIndex } from './index/log-index.ts'
import type { HashedBlock } from './index/segment-memory.ts'
import { MemoryPool } from './memory-pool.ts'
import { PendingBlock } from './pending-block.ts'
import type { WriteOutcome } from './segment-writer.ts'
import { StreamHeads } from './stream-heads.ts'

/** With fewer blocks under way than this, whatever was appended is committed at once. */
const EAGER_BLOCKS = 2
/** With fewer than this, a block of some size is. */
const MAX_BLOCKS_UNDER_WAY = 4
const WORTHWHILE_BYTES = 128 * KIB
const POOLED_BYTES = 2 * MIB

assert.ok(EAGER_BLOCKS <= MAX_BLOCKS_UNDER_WAY)
assert.ok(WORTHWHILE_BYTES <= BLOCK_TARGET_BYTES)

/** An event with the place that it gets if everything before it succeeds. */
interface Planned {
  readonly event: NewEvent
  readonly place: Appended
}

/** What is under way before a batch. */
interface Mark {
  readonly encoder: EncoderMark
  /** Number of closed blocks. */
  readonly closed: number
  readonly assigned: Head
}

export interface WriterListener {
  /** A block is durable in this segment, and about to be told of. True if that made slots of streams invalid. */
  onSegment(first: number): boolean
  /** A block became durable, at this place. */
  onDurable(block: HashedBlock, head: Head, sizeBytes: number, place: DurablePlace): void
}

type WriterIndex = Pick<LogIndex, 'slot' | 'makeSlot' | 'head' | 'olderHead' | 'hashId'>

export type DurablePlace = Extract<WriteOutcome, { readonly _tag: 'Durable' }>

/**
 * Group commit: `append` assigns places and encodes at once; blocks are committed one by one elsewhere, and what is
 * appended meanwhile gathers in the next. When a block fails, all behind it fail too, and places are taken back.
 */
export class Writer {
  readonly #listener: WriterListener
  readonly #commitSide: CommitSide
  readonly #encoder = new BlockEncoder()
  readonly #pool = new MemoryPool(MAX_BLOCKS_UNDER_WAY, POOLED_BYTES)
  /** Closed blocks in order: those sent, then those waiting. */
  #closed: PendingBlock[] = []
  #sent = 0
  #filling: PendingBlock | undefined
  readonly #index: WriterIndex
  readonly #streamHeads: StreamHeads
  readonly #hashed = new Uint32Array(2)
  #durable: Head
  readonly #assigned: { position: number; received: number }
  #nextNumber = 0
  #scheduled = false
  #held = false
  #ended: LogFailure | undefined
  #idle: (() => void)[] = []

  constructor(
    start: Head,
    index: WriterIndex,
    listener: WriterListener,
    commitSide: (writer: Pick<Writer, 'onReport' | 'onLost'>) => CommitSide,
  ) {
    this.#durable = start
    this.#assigned = { ...start }
    this.#listener = listener
    this.#index = index
    this.#streamHeads = new StreamHeads(index)
    this.#commitSide = commitSide(this)
  }

  /** Bytes of events that were appended and aren't durable yet. */
  get pendingBytes(): number {
    const filling = this.#encoder.count > 0 ? this.#encoder.sizeBytes : 0
    return this.#closed.reduce((sum, block) => sum + block.sizeBytes, filling)
  }

  streamHead(stream: string): Appended | undefined {
    return this.#streamHeads.at(this.#streamHeads.slot(stream), stream)
  }

  async append(appends: readonly AppendEvent[], atomic: boolean): Promise<readonly AppendResult[]> {
    const ended = this.#ended
    if (ended !== undefined) return appends.map(() => E.left(ended))
    this.#assertReceived(appends)
    const ticket = new AppendTicket()
    this.#schedule()
    const mark = this.#mark()
    try {
      if (atomic) this.#appendAll(appends, ticket)
      else for (const append of appends) this.#appendOne(append, ticket)
    } catch (error) {
      this.#takeBack(mark)
      throw error
    }
    // Writing goes on beside the encoding of the next batch.
    if (this.#encoder.sizeBytes >= WORTHWHILE_BYTES) this.#send()
    ticket.release()
    return ticket.promise
  }

  #assertReceived(appends: readonly AppendEvent[]): void {
    let { received } = this.#assigned
    for (const { event } of appends) {
      if (event.received < received) assert.fail(`received ${event.received} is before ${received}`)
      received = event.received
    }
  }

  #appendOne(append: AppendEvent, ticket: AppendTicket): void {
    const { event, expected } = append
    const slot = this.#streamHeads.slot(event.stream)
    const head = this.#streamHeads.at(slot, event.stream)
    const place = nextPlace(head, this.#assigned.position + 1)
    const wrong = checkExpected(event.stream, expected, head)
    if (wrong !== undefined) {
      ticket.add(E.left(wrong))
      return
    }
    this.#makeRoom()
    const sizeBytes = this.#encoder.add(event, place.revision)
    if (sizeBytes > MAX_EVENT_BYTES) {
      ticket.add(E.left({ _tag: 'EventTooLarge', sizeBytes, limitBytes: MAX_EVENT_BYTES }))
      return
    }
    this.#assign(event, place, slot, ticket)
  }

  #appendAll(appends: readonly AppendEvent[], ticket: AppendTicket): void {
    const planned = this.#plan(appends)
    const failure = '_tag' in planned ? planned : this.#encodeAll(planned)
    if (failure !== undefined) for (const _ of appends) ticket.add(E.left(failure))
    else if (!('_tag' in planned))
      for (const { event, place } of planned) this.#assign(event, place, undefined, ticket)
  }

  /** The places of an atomic batch, or the first expectation that doesn't hold. Changes nothing. */
  #plan(appends: readonly AppendEvent[]): readonly Planned[] | LogFailure {
    const heads = new Map<string, Appended>()
    const planned: Planned[] = []
    for (const { event, expected } of appends) {
      const head = heads.get(event.stream) ?? this.streamHead(event.stream)
      const wrong = checkExpected(event.stream, expected, head)
      if (wrong !== undefined) return wrong
      const place = nextPlace(head, this.#assigned.position + 1 + planned.length)
      heads.set(event.stream, place)
      planned.push({ event, place })
    }
    return planned
  }

  /** Into one block, or not at all. */
  #encodeAll(planned: readonly Planned[]): LogFailure | undefined {
    this.#makeRoom()
    const mark = this.#encoder.mark()
    let batchBytes = 0
    for (const { event, place } of planned) {
      const sizeBytes = this.#encoder.add(event, place.revision)
      batchBytes += sizeBytes
      const limitBytes = sizeBytes > MAX_EVENT_BYTES ? MAX_EVENT_BYTES : MAX_BATCH_BYTES
      if (sizeBytes <= MAX_EVENT_BYTES && batchBytes <= MAX_BATCH_BYTES) continue
      this.#encoder.rewind(mark)
      const largeBytes = sizeBytes > MAX_EVENT_BYTES ? sizeBytes : batchBytes
      return { _tag: 'EventTooLarge', sizeBytes: largeBytes, limitBytes }
    }
    return undefined
  }

  #mark(): Mark {
    return { encoder: this.#encoder.mark(), closed: this.#closed.length, assigned: { ...this.#assigned } }
  }

  /**
   * As if the batch had never been. None of its blocks was sent yet; the first may begin with events of others,
   * and is opened again for them. They are taken from its bytes: their callers may have changed the objects since.
   */
  #takeBack(mark: Mark): void {
    const closed = this.#closed.splice(mark.closed)
    const begun = this.#filling === undefined ? closed : [...closed, this.#filling]
    for (const { slots } of begun) for (const slot of slots) this.#streamHeads.forget(slot)
    const finished = closed[0]?.encoded
    if (finished === undefined) this.#encoder.rewind(mark.encoder)
    else this.#encoder.resume(finished, mark.encoder.count)
    for (const { encoded } of closed) if (encoded !== undefined) this.#pool.give(encoded.buffer)
    this.#filling = mark.encoder.count > 0 ? begun[0] : undefined
    this.#filling?.reopen(mark.encoder.count)
    Object.assign(this.#assigned, mark.assigned)
    const left = this.#filling === undefined ? this.#closed : [...this.#closed, this.#filling]
    for (const block of left) this.#streamHeads.setAll(block)
  }

  #assign(event: NewEvent, place: Appended, slot: number | undefined, ticket: AppendTicket): void {
    this.#filling ??= new PendingBlock(this.#nextNumber++, place.position)
    this.#index.hashId(event.source, event.id, this.#hashed)
    this.#filling.add(event, place, this.#streamHeads.set(event.stream, slot, place), this.#hashed)
    this.#filling.tickets.include(ticket, ticket.add(E.right(place)))
    this.#assigned.position = place.position
    this.#assigned.received = event.received
  }

  #makeRoom(): void {
    if (this.#encoder.sizeBytes >= BLOCK_TARGET_BYTES && this.#encoder.count > 0) this.#closeBlock()
  }

  #closeBlock(): void {
    const block = this.#filling
    assert.ok(block !== undefined && block.count === this.#encoder.count)
    const previous = this.#closed.at(-1)?.head.position ?? this.#durable.position
    block.identities = this.#encoder.identities()
    block.encoded = this.#encoder.finish(block.first, previous, this.#pool.take(this.#encoder.sizeBytes))
    block.sizeBytes = block.encoded.length
    assert.ok(block.sizeBytes <= MAX_BLOCK_BYTES)
    this.#closed.push(block)
    this.#filling = undefined
  }

  /** After the callbacks that are due: so writers that wait for the same commit meet again in the next. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    process.nextTick(() => {
      this.#scheduled = false
      this.#send()
    })
  }

  /** While it is held, what is appended gathers and isn't written: the caller's bound on `pendingBytes` slows it down. */
  hold(held: boolean): void {
    this.#held = held
    if (!held) this.#schedule()
  }

  #send(): void {
    if (this.#held && this.#ended === undefined) return
    const enough = this.#encoder.sizeBytes >= WORTHWHILE_BYTES
    const free = enough ? MAX_BLOCKS_UNDER_WAY : EAGER_BLOCKS
    if (this.#encoder.count > 0 && this.#closed.length < free) this.#closeBlock()
    while (this.#sent < this.#closed.length && this.#sent < MAX_BLOCKS_UNDER_WAY) {
      const block = this.#closed[this.#sent++]
      assert.ok(block?.encoded !== undefined)
      const { number, sizeBytes, firstReceived, head } = block
      const memory = block.encoded.buffer
      this.#commitSide.send({ kind: 'block', number, memory, sizeBytes, firstReceived, head })
      block.encoded = undefined
    }
  }

  onReport(report: CommitReport): void {
    this.#pool.give(report.memory)
    const block = this.#closed[0]
    // Those behind a block that failed were given up with it.
    if (block?.number !== report.number) return
    switch (report.outcome._tag) {
      case 'Durable':
        this.#durableBlock(block, report.outcome)
        break
      case 'DiskFull':
        this.#giveUp({ _tag: 'DiskFull' })
        this.#commitSide.send({ kind: 'resume' })
        break
      case 'Stopped':
        this.onLost(report.outcome.cause)
        break
    }
  }

  onLost(cause: string): void {
    this.#ended ??= { _tag: 'WriterStopped', cause }
    this.#giveUp({ _tag: 'WriterStopped', cause })
  }

  #durableBlock(block: PendingBlock, place: DurablePlace): void {
    this.#closed.shift()
    this.#sent--
    this.#durable = block.head
    if (this.#listener.onSegment(place.segment)) {
      const filling = this.#filling === undefined ? [] : [this.#filling]
      this.#streamHeads.renumber([block, ...this.#closed, ...filling])
    }
    this.#listener.onDurable(block, block.head, block.sizeBytes, place)
    block.tickets.settle(undefined)
    this.#schedule()
    this.#tellIdle()
  }

  /** Everything that isn't durable fails, and its places are free again. */
  #giveUp(failure: LogFailure): void {
    const failed = this.#filling === undefined ? this.#closed : [...this.#closed, this.#filling]
    for (const { slots } of failed) for (const slot of slots) this.#streamHeads.forget(slot)
    this.#closed = []
    this.#sent = 0
    this.#filling = undefined
    this.#encoder.clear()
    Object.assign(this.#assigned, this.#durable)
    for (const block of failed) block.tickets.settle(failure)
    this.#tellIdle()
  }

  #tellIdle(): void {
    if (this.#closed.length > 0 || this.#filling !== undefined) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Waits for what is under way; later appends fail. */
  async close(): Promise<void> {
    this.#ended ??= { _tag: 'LogClosed' }
    this.#schedule()
    if (this.#closed.length > 0 || this.#filling !== undefined) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
    await this.#commitSide.close()
  }
}
