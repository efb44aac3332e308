import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { HeadSignal } from '../log/embedded/head-signal.ts'
import { workerUrl } from '../worker-url.ts'
import {
  type AuditRefusal,
  type AuditStatus,
  type AuditThread,
  AuditUnavailable,
  type InclusionProof,
  type SignedTreeHead,
} from './audit.ts'
import type { AuditProgress } from './auditor.ts'
import { parseSignerKey } from './note.ts'
import { openSigningKey } from './signing-key.ts'

export interface AuditWorkerData {
  readonly logDirectory: string
  readonly headSignal: HeadSignal
  readonly auditDirectory: string
  /** As `parseSignerKey` reads it. */
  readonly signingKey: string
}

export type AuditRequest =
  | {
      readonly kind: 'inclusion'
      readonly id: number
      readonly position: number
      readonly size: number | undefined
    }
  | {
      readonly kind: 'consistency'
      readonly id: number
      readonly fromSize: number
      readonly toSize: number | undefined
    }
  | { readonly kind: 'tile'; readonly id: number; readonly path: string }

export type AuditOrder = AuditRequest | { readonly kind: 'close' }

export type AuditMessage =
  | { readonly kind: 'head'; readonly head: SignedTreeHead }
  | { readonly kind: 'refusal'; readonly refusal: AuditRefusal }
  | { readonly kind: 'progress'; readonly progress: AuditProgress }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'unavailable'
      readonly id: number
      readonly code: AuditUnavailable['code']
      readonly message: string
    }

export interface AuditOptions {
  /** The engine's data directory. */
  readonly directory: string
  readonly headSignal: HeadSignal
  /** The log's name in tree heads. */
  readonly origin: string
  /** A signing key in the form of `makeSigningKey`; else the audit directory's own. */
  readonly signingKey: string | undefined
  readonly onHead: (head: SignedTreeHead) => void
  /** Told again when more is known of it. */
  readonly onRefusal: (refusal: AuditRefusal) => void
  /** The thread has ended before its time. */
  readonly onFailure: (message: string) => void
}

interface Awaited {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** Where tree, tree heads and signing key stand, in the engine's data directory. */
export function auditDirectory(directory: string): string {
  return join(directory, 'audit')
}

/** Starts hashing and signing on a thread of its own. Never throws for a missing key: then it signs nothing, and says so. */
export function startAudit(options: AuditOptions): AuditThread {
  const directory = auditDirectory(options.directory)
  const key = openSigningKey(directory, options.origin, options.signingKey)
  if (key._tag === 'Left') return withoutKey(options, key.left)
  const data: AuditWorkerData = {
    logDirectory: join(options.directory, 'log'),
    headSignal: options.headSignal,
    auditDirectory: directory,
    signingKey: key.right,
  }
  return new WorkerAudit(data, parseSignerKey(key.right)?.verifierKey ?? '', options)
}

class WorkerAudit implements AuditThread {
  readonly verifierKey: string
  readonly #worker: Worker
  readonly #awaited = new Map<number, Awaited>()
  readonly #ended: Promise<void>
  readonly #options: AuditOptions
  #asked = 0
  #closing = false
  #head: SignedTreeHead | undefined
  #refusal: AuditRefusal | undefined
  #failure: string | undefined
  #progress: AuditProgress = { size: 0, position: 0, rebuiltTiles: 0 }

  constructor(data: AuditWorkerData, verifierKey: string, options: AuditOptions) {
    this.verifierKey = verifierKey
    this.#options = options
    this.#worker = new Worker(workerUrl('audit-worker', import.meta.url), { workerData: data, name: 'audit' })
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
    this.#worker.on('message', (message: AuditMessage) => this.#hear(message))
    this.#worker.on('error', (error: unknown) =>
      this.#fail(error instanceof Error ? error.message : String(error)),
    )
    this.#worker.on('exit', () => this.#end())
  }

  #hear(message: AuditMessage): void {
    switch (message.kind) {
      case 'head':
        this.#head = message.head
        this.#options.onHead(message.head)
        return
      case 'refusal':
        this.#refusal = message.refusal
        this.#options.onRefusal(message.refusal)
        return
      case 'progress':
        this.#progress = message.progress
        return
      case 'failed':
        this.#fail(message.message)
        return
      case 'answer':
        this.#awaited.get(message.id)?.resolve(message.value)
        this.#awaited.delete(message.id)
        return
      case 'unavailable':
        this.#awaited.get(message.id)?.reject(new AuditUnavailable(message.code, message.message))
        this.#awaited.delete(message.id)
        return
    }
  }

  #fail(message: string): void {
    if (this.#failure !== undefined) return
    this.#failure = message
    this.#options.onFailure(message)
  }

  #end(): void {
    for (const { reject } of this.#awaited.values()) reject(stopped())
    this.#awaited.clear()
    if (!this.#closing) this.#fail('its thread has ended')
    this.#closing = true
  }

  treeHead(): SignedTreeHead | undefined {
    return this.#head
  }

  status(): AuditStatus {
    const { size, position, rebuiltTiles } = this.#progress
    return {
      ...{ treeHead: this.#head, size, position, rebuiltTiles },
      ...{ refusal: this.#refusal, failure: this.#failure },
    }
  }

  async #ask(request: (id: number) => AuditRequest): Promise<unknown> {
    if (this.#closing) throw stopped()
    const id = this.#asked++
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#awaited.set(id, { resolve, reject })
    this.#worker.postMessage(request(id))
    return promise
  }

  // What comes back was made by the method of the same name on the other thread.
  async proveInclusion(position: number, size?: number): Promise<InclusionProof | undefined> {
    return (await this.#ask((id) => ({ kind: 'inclusion', id, position, size }))) as
      | InclusionProof
      | undefined
  }

  async proveConsistency(fromSize: number, toSize?: number): Promise<readonly Uint8Array[]> {
    return (await this.#ask((id) => ({ kind: 'consistency', id, fromSize, toSize }))) as readonly Uint8Array[]
  }

  async tile(path: string): Promise<Uint8Array | undefined> {
    return (await this.#ask((id) => ({ kind: 'tile', id, path }))) as Uint8Array | undefined
  }

  /** What is asked for still is answered as far as it can be at once. */
  async close(): Promise<void> {
    if (!this.#closing) this.#worker.postMessage({ kind: 'close' } satisfies AuditOrder)
    this.#closing = true
    await this.#ended
  }
}

function stopped(): AuditUnavailable {
  return new AuditUnavailable('stopped', 'the audit has stopped')
}

function withoutKey(options: AuditOptions, message: string): AuditThread {
  const refusal: AuditRefusal = {
    ...{ code: 'other_key', message, signed: '' },
    ...{ found: undefined, position: undefined },
  }
  options.onRefusal(refusal)
  const unavailable = async (): Promise<never> => {
    throw new AuditUnavailable('not_signed', message)
  }
  return {
    verifierKey: '',
    treeHead: () => undefined,
    status: () => ({
      ...{ treeHead: undefined, size: 0, position: 0, rebuiltTiles: 0 },
      ...{ refusal, failure: undefined },
    }),
    proveInclusion: unavailable,
    proveConsistency: unavailable,
    tile: unavailable,
    close: async () => {},
  }
}
