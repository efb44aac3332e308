import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import type { Files, LogFile } from '../../engine/log/embedded/files.ts'
import type { Log } from '../../engine/log/log.ts'
import { FakeDisk, type Fault } from '../faults/fake-disk.ts'
import type { Survival } from '../faults/survival.ts'
import { allOf, type LogDisk, type LogParts, writeMs } from './log-disk.ts'
import type { Process } from './process.ts'
import type { Random } from './random.ts'
import { must } from './violation.ts'

const DIRECTORY = '/data/log'
/** Small, so that runs come to several segments, with their indexes. */
const SEGMENT_BYTES = 24 * 1_024
const CHUNK_BYTES = 4 * 1_024

/**
 * The embedded log over a page cache and a platter. Each operation on files may be the one that the process dies in; with
 * the process goes, most of the time, the power, and what wasn't synced is lost, torn or there in another order.
 */
export class EmbeddedDisk implements LogDisk {
  readonly #disk = new FakeDisk()
  readonly #compression: 'zstd' | 'off'
  readonly #planted: ((files: Files) => Files) | undefined
  /** Of the process that writes. */
  #faults = new Map<number, Fault>()
  #version = 0

  constructor(compression: 'zstd' | 'off', planted: ((files: Files) => Files) | undefined) {
    this.#compression = compression
    this.#planted = planted
    const files = this.#disk.files()
    files.makeDirectory(DIRECTORY)
    files.syncDirectory('/data')
    files.syncDirectory('/')
  }

  get version(): number {
    return this.#version
  }

  async open({ process, timeline, random, isFull }: LogParts): Promise<Log> {
    this.#faults = new Map()
    const disk = this.#disk.files(this.#faults)
    const files = gated(this.#planted?.(disk) ?? disk, process, () => {
      this.#version += 1
      this.#disk.roomBytes = isFull() ? 0 : Number.POSITIVE_INFINITY
    })
    let turn = Promise.resolve()
    const inTurn = (act: () => void): void => {
      turn = turn.then(() => process.awaited(timeline.sleep(writeMs(random)))).then(act)
    }
    process.whenEnded(() => this.#end(process, random))
    const opened = await openEmbeddedLog(DIRECTORY, { ...this.#settings(), files, inTurn })
    must(E.isRight(opened), () => `the log doesn't open: ${JSON.stringify(opened)}`)
    const log = opened.right
    if (log.tornTail !== undefined) process.note('a torn tail was cut')
    process.whenEnded(() => {
      if (log.pendingBytes() > 0) process.note('killed: events were appended and not durable')
    })
    return log
  }

  async events(): Promise<readonly RecordedEvent[]> {
    const copy = this.#disk.fork()
    copy.roomBytes = Number.POSITIVE_INFINITY
    const opened = await openEmbeddedLog(DIRECTORY, { ...this.#settings(), files: copy.files() })
    must(E.isRight(opened), () => `the log doesn't open: ${JSON.stringify(opened)}`)
    const events = await allOf(opened.right)
    await opened.right.close()
    return events
  }

  strike(operations: number, fault: Fault): void {
    this.#faults.set(this.#disk.operations.length + operations, fault)
  }

  #settings() {
    return { segmentBytes: SEGMENT_BYTES, chunkBytes: CHUNK_BYTES, compression: this.#compression }
  }

  #end(process: Process, random: Random): void {
    this.#version += 1
    if (process.isOrderly || random.percent(30)) {
      this.#disk.kill()
      return
    }
    process.note('killed: the power went too')
    this.#disk.cutPower(survivalOf(random))
  }
}

function survivalOf(random: Random): Survival {
  switch (random.below(5)) {
    case 0:
      return { kind: 'nothing' }
    case 1:
    case 2:
      return { kind: 'torn', bytes: random.below(600) }
    default:
      return { kind: 'random', seed: random.below(2 ** 31) }
  }
}

/** Files as one process has them: it may die in any operation. `before` each. */
function gated(files: Files, process: Process, before: () => void): Files {
  const doing = <T>(act: () => T): T => {
    before()
    return process.doing(act, 'files')
  }
  const file = (inner: LogFile): LogFile => ({
    read: (into, offset) => inner.read(into, offset),
    write: (bytes, offset) => doing(() => inner.write(bytes, offset)),
    sync: () => doing(() => inner.sync()),
    truncate: (sizeBytes) => doing(() => inner.truncate(sizeBytes)),
    sizeBytes: () => inner.sizeBytes(),
    close: () => inner.close(),
  })
  return {
    makeDirectory: (directory) => doing(() => files.makeDirectory(directory)),
    list: (directory) => doing(() => files.list(directory)),
    openRead: (path) => file(files.openRead(path)),
    openWrite: (path) => file(files.openWrite(path)),
    create: (path) => file(doing(() => files.create(path))),
    rename: (from, to) => doing(() => files.rename(from, to)),
    remove: (path) => doing(() => files.remove(path)),
    syncDirectory: (directory) => doing(() => files.syncDirectory(directory)),
  }
}
