import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../../engine/clock.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { openQuarantine } from '../../engine/intake/quarantine.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import { lockDirectory } from '../../engine/log/embedded/lock.ts'
import { lastErasure } from '../../engine/privacy/check-key-store.ts'
import { KEY_FILE } from '../../engine/privacy/format.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { syncDirectory } from '../../engine/privacy/master-key.ts'
import { openOpener } from '../../engine/privacy/opener.ts'
import type { KeyStore } from '../../engine/privacy/privacy.ts'
import { DATA_FORMAT, RESTORING } from '../engine.ts'
import { type NameSearch, searchFor } from '../erasure/values.ts'
import { sentenceOf } from './backup.ts'
import { checkBlocks, checkStored, checkStoredLog } from './check-files.ts'
import { copyDurably, makeDurably, writeDurably } from './durable-files.ts'
import { erasedIn } from './erasures.ts'
import { BackupRefused } from './failure.ts'
import { forgottenUntil, writeForgotten } from './forgotten.ts'
import { openPrefix } from './log-prefix.ts'
import type { BackupHead, Manifest } from './manifest.ts'
import { checkNeededKeys, type NeededKeys } from './needed-keys.ts'
import { masterKeyOf, OF_THE_SYSTEM, planRestore, type RestorePlan } from './restore-plan.ts'

export interface RestoreOptions {
  readonly log: string
  /** undefined: without the old keys; everybody in the log is forgotten. */
  readonly keys: string | undefined
  /** The data directory to be; empty, or not there yet. */
  readonly to: string
  /** Certificates of erasures, or newer logs, that know of erasures after the backup. */
  readonly erasures: readonly string[]
  readonly masterKey: { readonly key: Uint8Array; readonly keep: boolean } | undefined
  readonly force: boolean
  readonly files: Files
  readonly clock: Clock
  readonly onProgress: (step: string, done: number, of: number) => void
}

export interface RestoreReport {
  readonly head: BackupHead
  readonly logTakenAt: string
  readonly keysTakenAt: string | undefined
  /** Overruled by force. */
  readonly overruled: readonly string[]
  /** Identities that erasures named, and what of them the backup still had. */
  readonly erased: {
    readonly named: number
    readonly mappings: number
    readonly keys: number
    /** Refused events about them, and all that may be. */
    readonly bodies: number
  }
  readonly keysNeeded: NeededKeys | undefined
  readonly hasCredentials: boolean
}

/**
 * Makes a data directory from a backup of log and keys. Whoever was erased after the keys were copied is forgotten
 * before the directory can be opened: until the end its FORMAT says that it isn't restored yet, and no engine
 * opens it; what fails leaves nothing behind. The left side is a whole sentence.
 */
export async function restore(options: RestoreOptions): Promise<E.Either<string, RestoreReport>> {
  try {
    const plan = planRestore({ ...options, nowMs: options.clock.nowMs() })
    if (plan.objections.length > 0 && !options.force)
      throw new BackupRefused(`${plan.objections.join('; ')} (--force restores all the same)`)
    return E.right(await new Restore(options, plan).run())
  } catch (error) {
    return E.left(sentenceOf(error))
  }
}

/** What a restore that failed has made knows people, and is of no use; what says so goes last. */
function undo(to: string, isNew: boolean): void {
  const names = readdirSync(to).filter((name) => !OF_THE_SYSTEM.has(name) && name !== 'FORMAT')
  for (const name of names) rmSync(join(to, name), { recursive: true })
  rmSync(join(to, 'FORMAT'))
  if (isNew) rmdirSync(to)
}

/** Forgotten in one transaction each. */
const ERASED_AT_ONCE = 1_000

class Restore {
  readonly #options: RestoreOptions
  readonly #plan: RestorePlan
  readonly #masterKey: Uint8Array | undefined

  constructor(options: RestoreOptions, plan: RestorePlan) {
    this.#options = options
    this.#plan = plan
    this.#masterKey =
      plan.keys === undefined ? options.masterKey?.key : masterKeyOf(plan.keys, options.masterKey?.key)
  }

  async run(): Promise<RestoreReport> {
    const { to } = this.#options
    const erased = await this.#check()
    const isNew = !existsSync(to)
    // First of all: a log without it would be taken for a new installation's.
    makeDurably(to)
    writeDurably(join(to, 'FORMAT'), `${RESTORING}\n`)
    makeDurably(join(to, 'log'))
    const lock = lockDirectory(join(to, 'log'))
    if (lock === undefined) throw new BackupRefused(`${to} is open in another process`)
    let report: RestoreReport | undefined
    try {
      report = await this.#make(erased)
      return report
    } finally {
      lock.release()
      if (report === undefined) undo(to, isNew)
    }
  }

  async #make(erased: ReadonlySet<IdentityId>): Promise<RestoreReport> {
    const { to } = this.#options
    const { log, keys, objections } = this.#plan
    this.#copy()
    const destroyed = await this.#forget(erased)
    const head = checkBlocks(this.#options.files, join(to, 'log'))
    if (keys === undefined) writeForgotten(to, head.position)
    const keysNeeded = await this.#checkKeys(head, erased)
    writeDurably(join(to, 'FORMAT'), `${DATA_FORMAT}\n`)
    return {
      head,
      logTakenAt: log.manifest.takenAt,
      keysTakenAt: keys?.manifest.takenAt,
      overruled: objections,
      erased: { named: erased.size, ...destroyed },
      keysNeeded,
      hasCredentials: keys?.manifest.files.some(({ path }) => path === 'credentials.json') ?? false,
    }
  }

  /** Everything is read before anything is written. Answers who was erased. */
  async #check(): Promise<ReadonlySet<IdentityId>> {
    const { files, onProgress, erasures } = this.#options
    const { log, keys } = this.#plan
    checkStored(log.directory, log.manifest, (done, of) => onProgress('checking the log', done, of))
    checkStoredLog(files, log.directory, log.manifest)
    if (keys !== undefined)
      checkStored(keys.directory, keys.manifest, (done, of) => onProgress('checking the keys', done, of))
    const sources = [log.directory, ...erasures].map((path) => erasedIn(files, path))
    return new Set((await Promise.all(sources)).flatMap((ids) => [...ids]))
  }

  #copy(): void {
    const { onProgress } = this.#options
    const { log, keys } = this.#plan
    const parts: readonly { readonly directory: string; readonly manifest: Manifest }[] =
      keys === undefined ? [log] : [log, keys]
    const ofBytes = parts
      .flatMap(({ manifest }) => manifest.files)
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    let doneBytes = 0
    for (const { directory, manifest } of parts) {
      for (const file of manifest.files) {
        if (keys === undefined && file.path.startsWith('quarantine/')) continue
        this.#copyOne(join(directory, file.stored), file, (count) => {
          doneBytes += count
          onProgress('restoring', doneBytes, ofBytes)
        })
      }
    }
  }

  #copyOne(
    from: string,
    { path, sha256 }: { readonly path: string; readonly sha256: string },
    onBytes: (count: number) => void,
  ): void {
    const to = join(this.#options.to, path)
    makeDurably(dirname(to))
    const digest = copyDurably(from, to, onBytes)
    if (digest.sha256 !== sha256)
      throw new BackupRefused(`${from} changed while it was restored: begin again`)
    syncDirectory(dirname(to))
  }

  /** Opens the key store, a new one where the old is lost, and destroys what must not be readable any more. */
  async #forget(erased: ReadonlySet<IdentityId>): Promise<Omit<RestoreReport['erased'], 'named'>> {
    const { to, clock, masterKey } = this.#options
    const directory = join(to, 'keys')
    if (masterKey?.keep === true) {
      makeDurably(directory)
      rmSync(join(directory, KEY_FILE), { force: true })
      writeDurably(join(directory, KEY_FILE), masterKey.key)
    }
    const store = openKeyStore(directory, {
      clock,
      masterKey: this.#masterKey,
      create: this.#plan.keys === undefined,
    })
    let mappings = 0
    let keys = 0
    let bodies = 0
    try {
      bodies += await this.#forgetBodiesSince(lastErasure(directory), store)
      const all = [...erased]
      for (let at = 0; at < all.length; at += ERASED_AT_ONCE) {
        const ids = all.slice(at, at + ERASED_AT_ONCE)
        const held = store.holdings(ids)
        if (held.mappings + held.keyIds.length === 0) continue
        mappings += held.mappings
        keys += held.keyIds.length
        bodies += await this.#forgetBodies(ids, store)
        await store.destroyOwner(ids)
      }
    } finally {
      await store.close()
    }
    return { mappings, keys, bodies }
  }

  /**
   * Whoever was erased between the copies of log and keys is named by refused events in the one, and by nobody in the
   * other: which those are can't be told any more, so all go that were refused until then.
   */
  async #forgetBodiesSince(erasedMs: number, store: KeyStore): Promise<number> {
    if (erasedMs < Date.parse(this.#plan.log.manifest.takenAt)) return 0
    return this.#forgetAll(() => true, store)
  }

  /** Refused events about these people, which the erasure had deleted too; found as long as their values are known. */
  async #forgetBodies(ids: readonly IdentityId[], store: KeyStore): Promise<number> {
    const people = ids.flatMap((id) => store.reveal(id) ?? [])
    return this.#forgetAll(searchFor(people).inBody, store)
  }

  async #forgetAll(names: NameSearch['inBody'], store: KeyStore): Promise<number> {
    const directory = join(this.#options.to, 'quarantine')
    if (!existsSync(directory)) return 0
    const quarantine = openQuarantine(directory, store, this.#options.clock)
    try {
      const forgotten = await quarantine.forget(names)
      if (forgotten._tag === 'Right') return forgotten.right.bodies
      throw new BackupRefused(`refused events of erased people can't be deleted: ${forgotten.left._tag}`)
    } finally {
      await quarantine.close()
    }
  }

  /** Whether the restored keys are those that the restored log needs. */
  async #checkKeys(head: BackupHead, erased: ReadonlySet<IdentityId>): Promise<NeededKeys | undefined> {
    const { to, files, force, onProgress } = this.#options
    if (this.#plan.keys === undefined) return undefined
    const keys = openOpener(join(to, 'keys'), { masterKey: this.#masterKey })
    const log = openPrefix(files, join(to, 'log'), head)
    try {
      const needed = await checkNeededKeys(log, keys, erased, {
        until: head.position,
        forgottenUntil: forgottenUntil(to),
        onPosition: (position) => onProgress('verifying', position, head.position),
      })
      const { lost, broken } = needed
      if (lost.count + broken.count > 0 && !force) {
        throw new BackupRefused(
          `${lost.count + broken.count} sealed parts of events from position ${Math.min(lost.first ?? Infinity, broken.first ?? Infinity)} on ` +
            "don't open under these keys, though nobody was erased: they are another history's. Use other backups (--force restores all the same)",
        )
      }
      return needed
    } finally {
      keys.close()
      await log.close()
    }
  }
}
