import { dirname, join } from 'node:path'
import { errorCode, type Files, isDiskError } from '../log/embedded/files.ts'
import { UNFINISHED_SUFFIX } from './format.ts'

/** The audit directory: small files that are written whole, under paths with forward slashes. */
export class AuditFiles {
  readonly #files: Files
  readonly #root: string
  readonly #known = new Set<string>()
  readonly #unsynced = new Set<string>()

  constructor(files: Files, root: string) {
    this.#files = files
    this.#root = root
  }

  /** The whole file; undefined where there is none. */
  read(path: string): Buffer | undefined {
    try {
      const file = this.#files.openRead(join(this.#root, path))
      try {
        const bytes = Buffer.allocUnsafeSlow(file.sizeBytes())
        return bytes.subarray(0, file.read(bytes, 0))
      } finally {
        file.close()
      }
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  /** Names in a directory; none where it doesn't exist. */
  list(path: string): readonly string[] {
    try {
      return this.#files.list(join(this.#root, path))
    } catch (error) {
      if (isAbsent(error)) return []
      throw error
    }
  }

  /** Writes again what could be made anew, durably. Where the disk refuses it, that is done again when it is read next. */
  restore(path: string, bytes: Uint8Array): void {
    try {
      this.write(path, bytes)
      this.flush()
    } catch (error) {
      if (!isDiskError(error)) throw error
    }
  }

  /**
   * Replaces the file in one step: whoever reads it finds the old or the new content, whole. Durable once `flush` was
   * called, too; `synced`: its content already is (what can be made anew may do without).
   */
  write(path: string, bytes: Uint8Array, synced = true): void {
    const place = join(this.#root, path)
    const unfinished = `${place}${UNFINISHED_SUFFIX}`
    this.#makeDirectory(dirname(place))
    const file = this.#files.create(unfinished)
    try {
      for (let done = 0; done < bytes.length; ) done += file.write(bytes.subarray(done), done)
      if (synced) file.sync()
    } finally {
      file.close()
    }
    this.#files.rename(unfinished, place)
    this.#unsynced.add(dirname(place))
  }

  /** Makes the names written so far durable. */
  flush(): void {
    for (const directory of this.#unsynced) this.#files.syncDirectory(directory)
    this.#unsynced.clear()
  }

  remove(path: string): void {
    try {
      this.#files.remove(join(this.#root, path))
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }

  #makeDirectory(directory: string): void {
    if (this.#known.has(directory)) return
    this.#files.makeDirectory(directory)
    this.#known.add(directory)
    // The names of new directories have to last as well.
    for (let above = directory; above.length > this.#root.length; above = dirname(above)) {
      this.#unsynced.add(dirname(above))
    }
  }
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errorCode(error))
}
