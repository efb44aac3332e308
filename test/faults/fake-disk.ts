import { basename, dirname } from 'node:path'
import type { Files, LogFile } from '../../engine/log/embedded/files.ts'
import { applied, type Change, kept, type Survival, survivor } from './survival.ts'

/** What changes a disk, or fails of its own. Each is counted; faults are placed by that number. */
export type Operation =
  | 'make_directory'
  | 'list'
  | 'create'
  | 'rename'
  | 'remove'
  | 'sync_directory'
  | 'write'
  | 'sync'
  | 'truncate'

/** What becomes of one operation. Plain data, so that it can be kept in a file. */
export type Fault =
  /** The process dies in it. Whether it still happened is for the crash to say: it is one more unsynced change. */
  | { readonly kind: 'die' }
  /** A write is short; others aren't touched. */
  | { readonly kind: 'short'; readonly bytes: number }
  /** It fails and does nothing, but that a write may have done a part. */
  | { readonly kind: 'fail'; readonly code: 'EIO' | 'ENOSPC'; readonly partBytes?: number | undefined }
  /**
   * A sync fails, and what it was to make durable is in the page cache as before but will never be written, though
   * later syncs succeed: what Linux does (https://lwn.net/Articles/752063/). Others fail with EIO.
   */
  | { readonly kind: 'lose_pages' }

export class DiskError extends Error {
  readonly code: string
  constructor(code: string, operation: string) {
    super(`${code}: ${operation}, made for a test`)
    this.code = code
  }
}

/** The process is dead: whatever it still asks of the disk doesn't happen. What it reads tells nobody anything. */
class Dead extends Error {}

class FileNode {
  cache: Buffer = Buffer.alloc(0)
  platter: Buffer = Buffer.alloc(0)
  pending: Change[] = []

  change(change: Change): void {
    this.cache = applied(this.cache, change)
    this.pending.push(change)
  }

  sync(): void {
    for (const change of this.pending) this.platter = applied(this.platter, change)
    this.pending = []
  }
}

class DirectoryNode {
  readonly cache = new Map<string, Node>()
  platter = new Map<string, Node>()
  /** What each name has stood for since it was synced. */
  readonly pending = new Map<string, (Node | undefined)[]>()

  set(name: string, node: Node | undefined): void {
    if (node === undefined) this.cache.delete(name)
    else this.cache.set(name, node)
    this.pending.set(name, [...(this.pending.get(name) ?? []), node])
  }

  sync(): void {
    this.platter = new Map(this.cache)
    this.pending.clear()
  }
}

type Node = FileNode | DirectoryNode

/**
 * A page cache before a platter. What isn't synced is in the cache alone: a power cut keeps an arbitrary part of it, in
 * an arbitrary order, and each name of a directory independently of the others. A process that dies leaves the cache
 * as it is.
 */
export class FakeDisk {
  #root = new DirectoryNode()
  #faults: ReadonlyMap<number, Fault> = new Map()
  #process = { dead: false }
  #count = 0
  /** How many bytes files may still grow by. */
  roomBytes = Number.POSITIVE_INFINITY
  /** Kinds of the operations so far, since `files`. */
  readonly operations: Operation[] = []
  readonly happened: Fault[] = []

  /** The disk as one process sees it; what earlier processes had dies. `faults`: by the number of the operation. */
  files(faults: ReadonlyMap<number, Fault> = new Map()): Files {
    this.kill()
    this.#process = { dead: false }
    this.#faults = faults
    this.#count = 0
    this.operations.length = 0
    this.happened.length = 0
    return this.#view(this.#process)
  }

  get dead(): boolean {
    return this.#process.dead
  }

  kill(): void {
    this.#process.dead = true
  }

  /** Kills, and leaves what the platter holds. */
  cutPower(survival: Survival): void {
    this.kill()
    const choose = survivor(survival)
    const nodes = new Map<Node, Node>()
    const survive = (node: Node): Node => {
      const known = nodes.get(node)
      if (known !== undefined) return known
      const left = node instanceof FileNode ? new FileNode() : new DirectoryNode()
      nodes.set(node, left)
      if (node instanceof FileNode && left instanceof FileNode) {
        left.platter = kept(node.platter, node.pending, choose)
        left.cache = left.platter
      } else if (node instanceof DirectoryNode && left instanceof DirectoryNode) {
        for (const [name, child] of namesLeft(node, choose.version)) left.platter.set(name, survive(child))
        for (const [name, child] of left.platter) left.cache.set(name, child)
      }
      return left
    }
    const root = survive(this.#root)
    if (root instanceof DirectoryNode) this.#root = root
  }

  /** Another disk in the same state, cache, platter and all, without processes. */
  fork(): FakeDisk {
    const copies = new Map<Node, Node>()
    const copy = (node: Node): Node => {
      const known = copies.get(node)
      if (known !== undefined) return known
      if (node instanceof FileNode) {
        const file = Object.assign(new FileNode(), {
          cache: node.cache,
          platter: node.platter,
          pending: [...node.pending],
        })
        copies.set(node, file)
        return file
      }
      const directory = new DirectoryNode()
      copies.set(node, directory)
      for (const [name, child] of node.cache) directory.cache.set(name, copy(child))
      for (const [name, child] of node.platter) directory.platter.set(name, copy(child))
      for (const [name, versions] of node.pending) {
        directory.pending.set(
          name,
          versions.map((each) => each && copy(each)),
        )
      }
      return directory
    }
    const fork = new FakeDisk()
    fork.#lastWrite = this.#lastWrite
    fork.roomBytes = this.roomBytes
    const root = copy(this.#root)
    if (root instanceof DirectoryNode) fork.#root = root
    return fork
  }

  /** The last write, of all files, if it isn't synced. `path`: what the file was opened as. */
  lastUnsyncedWrite(): { readonly path: string; readonly sizeBytes: number } | undefined {
    if (this.#lastWrite === undefined) return undefined
    const { path, change } = this.#lastWrite
    return { path, sizeBytes: change.bytes.length }
  }

  #lastWrite:
    | { readonly path: string; readonly change: Extract<Change, { readonly kind: 'write' }> }
    | undefined

  #view(process: { dead: boolean }): Files {
    const perform = <T>(operation: Operation, act: (fault: Fault | undefined) => T): T => {
      if (process.dead) throw new Dead('the process is dead')
      const fault = this.#faults.get(this.#count++)
      this.operations.push(operation)
      if (fault !== undefined) this.happened.push(fault)
      if (fault?.kind === 'fail' && operation !== 'write') throw new DiskError(fault.code, operation)
      if (fault?.kind === 'lose_pages' && operation !== 'sync') throw new DiskError('EIO', operation)
      // A sync that is died in hasn't happened; a change may have.
      const syncs = operation === 'sync' || operation === 'sync_directory'
      const result = fault?.kind === 'die' && syncs ? undefined : act(fault)
      if (fault?.kind !== 'die') return result as T
      process.dead = true
      throw new Dead(`died in ${operation}`)
    }
    return {
      makeDirectory: (directory) => perform('make_directory', () => this.#makeDirectory(directory)),
      list: (directory) => perform('list', () => [...this.#directory(directory).cache.keys()].sort()),
      openRead: (path) => this.#open(path, perform),
      openWrite: (path) => this.#open(path, perform),
      create: (path) =>
        perform('create', () => {
          const directory = this.#directory(dirname(path))
          const old = directory.cache.get(basename(path))
          if (old instanceof FileNode) old.change({ kind: 'size', sizeBytes: 0 })
          else directory.set(basename(path), new FileNode())
          return this.#open(path, perform)
        }),
      rename: (from, to) =>
        perform('rename', () => {
          const node = this.#node(from)
          this.#directory(dirname(to)).set(basename(to), node)
          this.#directory(dirname(from)).set(basename(from), undefined)
        }),
      remove: (path) =>
        perform('remove', () => {
          this.#node(path)
          this.#directory(dirname(path)).set(basename(path), undefined)
        }),
      syncDirectory: (directory) => perform('sync_directory', () => this.#directory(directory).sync()),
    }
  }

  #open(
    path: string,
    perform: <T>(operation: Operation, act: (fault: Fault | undefined) => T) => T,
  ): LogFile {
    const node = this.#node(path)
    if (!(node instanceof FileNode)) throw new DiskError('EISDIR', path)
    return {
      read: (into, offset) => {
        const part = node.cache.subarray(offset, offset + into.length)
        into.set(part)
        return part.length
      },
      write: (bytes, offset) =>
        perform('write', (fault) => this.#write({ node, path }, bytes, offset, fault)),
      sync: () => perform('sync', (fault) => this.#sync(node, fault)),
      truncate: (sizeBytes) =>
        perform('truncate', () => {
          this.roomBytes += Math.max(0, node.cache.length - sizeBytes)
          node.change({ kind: 'size', sizeBytes })
        }),
      sizeBytes: () => node.cache.length,
      close: () => {},
    }
  }

  #write(
    { node, path }: { readonly node: FileNode; readonly path: string },
    bytes: Uint8Array,
    offset: number,
    fault: Fault | undefined,
  ): number {
    const roomBytes = node.cache.length + this.roomBytes - offset
    const wished = fault?.kind === 'short' ? Math.max(1, fault.bytes) : bytes.length
    const part = fault?.kind === 'fail' ? (fault.partBytes ?? 0) : wished
    const count = Math.max(0, Math.min(bytes.length, part, roomBytes))
    if (count > 0) {
      this.roomBytes -= Math.max(0, offset + count - node.cache.length)
      const change = { kind: 'write' as const, offset, bytes: Buffer.from(bytes.subarray(0, count)) }
      node.change(change)
      this.#lastWrite = { path, change }
    }
    if (fault?.kind === 'fail') throw new DiskError(fault.code, 'write')
    if (count === 0 && bytes.length > 0) throw new DiskError('ENOSPC', 'write')
    return count
  }

  #sync(node: FileNode, fault: Fault | undefined): void {
    if (node.pending.some((change) => change === this.#lastWrite?.change)) this.#lastWrite = undefined
    if (fault?.kind === 'lose_pages') {
      node.pending = []
      throw new DiskError('EIO', 'sync')
    }
    node.sync()
  }

  #makeDirectory(path: string): void {
    if (path === '/') return
    this.#makeDirectory(dirname(path))
    const parent = this.#directory(dirname(path))
    if (!parent.cache.has(basename(path))) parent.set(basename(path), new DirectoryNode())
  }

  #node(path: string): Node {
    if (path === '/') return this.#root
    const node = this.#directory(dirname(path)).cache.get(basename(path))
    if (node === undefined) throw new DiskError('ENOENT', path)
    return node
  }

  #directory(path: string): DirectoryNode {
    const node = this.#node(path)
    if (node instanceof DirectoryNode) return node
    throw new DiskError('ENOTDIR', path)
  }
}

function namesLeft(directory: DirectoryNode, version: (count: number) => number): ReadonlyMap<string, Node> {
  const left = new Map(directory.platter)
  for (const [name, versions] of directory.pending) {
    const chosen = version(versions.length)
    const node = chosen === 0 ? directory.platter.get(name) : versions[chosen - 1]
    if (node === undefined) left.delete(name)
    else left.set(name, node)
  }
  return left
}
