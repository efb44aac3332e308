import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { AppendEvent, Log } from '../../engine/log/log.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { allOf, type LogDisk, type LogParts, writeMs } from './log-disk.ts'

/** The log as a list of blocks: what each commit appended, in order. */
export class BlockDisk implements LogDisk {
  readonly blocks: (readonly AppendEvent[])[] = []
  #version = 0

  get version(): number {
    return this.#version
  }

  open(parts: LogParts): Promise<Log> {
    return openOver(this, parts)
  }

  add(...blocks: readonly (readonly AppendEvent[])[]): void {
    this.blocks.push(...blocks)
    this.#version += 1
  }

  /** As if it had never been durable. */
  loseLast(): void {
    this.blocks.pop()
    this.#version += 1
  }

  strike(): void {}

  async events(): Promise<readonly RecordedEvent[]> {
    const log = createMemoryLog()
    for (const block of this.blocks) await log.append(block)
    return allOf(log)
  }
}

/**
 * The memory log over what the disk holds of it. A block is durable when the time of its write is over; when the process
 * ends, any number of the blocks under way are durable too, the first ones, though nobody was told.
 */
async function openOver(disk: BlockDisk, { process, timeline, random, isFull }: LogParts): Promise<Log> {
  const underWay: Writing[] = []
  let isOpen = false
  let failed = false
  const log = createMemoryLog({
    async commit() {
      if (!isOpen) return
      const writing = underWay[0]
      assert(writing !== undefined, 'what is committed was appended')
      // Given up with one before it.
      if (writing.isGivenUp) return void underWay.shift()
      await process.awaited(timeline.sleep(writeMs(random)))
      underWay.shift()
      failed = isFull()
      if (failed) for (const other of underWay) other.isGivenUp = true
      else disk.add(writing.block)
    },
    fail: () => (failed ? { _tag: 'DiskFull' } : undefined),
  })
  for (const block of disk.blocks) await log.append(block)
  isOpen = true
  process.whenEnded(() => {
    const written = underWay.filter(({ isGivenUp }) => !isGivenUp).map(({ block }) => block)
    const survivors = written.splice(0, random.below(written.length + 1))
    disk.add(...survivors)
    if (survivors.length > 0) process.note('killed: blocks are durable that nobody was told of')
    if (written.length > 0) process.note('killed: blocks are lost')
  })
  return {
    ...reading(log),
    async append(appends, options) {
      assert(options?.atomic !== true, 'the intake appends event by event')
      const block = appends.map(({ event, expected }) => ({ event, expected }))
      const writing = { block, isGivenUp: false }
      underWay.push(writing)
      const results = await process.awaited(log.append(appends))
      if (results.some((result) => E.isLeft(result) && result.left._tag === 'DiskFull'))
        writing.isGivenUp = true
      // What was refused as a whole isn't written.
      else if (results.every(E.isLeft)) underWay.splice(underWay.indexOf(writing), 1)
      return results
    },
  }
}

interface Writing {
  readonly block: readonly AppendEvent[]
  /** There was no room for one before it; the memory log still comes to it. */
  isGivenUp: boolean
}

/** The calls that only read. */
function reading(log: Log): Omit<Log, 'append'> {
  return {
    head: () => log.head(),
    read: (options) => log.read(options),
    readBackwards: (options) => log.readBackwards(options),
    at: (position) => log.at(position),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
    idCandidates: (source, id) => log.idCandidates(source, id),
    streamHead: (stream) => log.streamHead(stream),
    readStream: (stream, options) => log.readStream(stream, options),
    readIdentity: (id, options) => log.readIdentity(id, options),
  }
}
