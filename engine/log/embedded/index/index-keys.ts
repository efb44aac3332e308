import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { IdentityId } from '../../../events/identity.ts'
import { type Hash64, halfSipHash } from '../../../keyed-hash.ts'
import { type Files, writeFully } from '../files.ts'
import { KEY_NAME, UNFINISHED_INDEX_SUFFIX } from './index-format.ts'

const KEY_BYTES = 16
const CHECKED_BYTES = KEY_BYTES + 4

/** The hashes under one log's own random key: who doesn't know it can't make names or ids collide. */
export interface IndexKeys {
  readonly secret: Uint8Array
  /** 64 bits of a (source, id). */
  readonly id: Hash64
  /** 128 bits of the name of a stream or type, in four words; two HalfSipHashes under independent keys. */
  name(name: string, out: Uint32Array): void
  /** Tells files of another key apart. */
  readonly check: Uint8Array
}

export function indexKeys(secret: Uint8Array): IndexKeys {
  const first = halfSipHash(secret.subarray(0, 8))
  const second = halfSipHash(secret.subarray(8, 16))
  const half = new Uint32Array(2)
  const name = (text: string, out: Uint32Array): void => {
    second('', text, half)
    out[2] = half[0] ?? 0
    out[3] = half[1] ?? 0
    first('', text, out)
  }
  const words = new Uint32Array(4)
  name('headwater index', words)
  return { secret, id: first, name, check: new Uint8Array(words.buffer.slice(8)) }
}

/** The 128 bits of an id as four words; false for what is no id. */
export function identityWords(id: IdentityId, out: Uint32Array): boolean {
  if (id.length !== 32) return false
  for (let word = 0; word < 4; word++) {
    let value = 0
    for (let i = word * 8; i < word * 8 + 8; i++) {
      const digit = hexDigit(id.charCodeAt(i))
      if (digit < 0) return false
      value = (value << 4) | digit
    }
    out[word] = value
  }
  return true
}

/** Of a lower-case digit; -1 for anything else. */
function hexDigit(unit: number): number {
  if (unit >= 48 && unit <= 57) return unit - 48
  return unit >= 97 && unit <= 102 ? unit - 87 : -1
}

/** The key of an index directory, which must exist; undefined if it has none or a damaged one. */
export function readIndexKeys(files: Files, directory: string): IndexKeys | undefined {
  try {
    const file = files.openRead(join(directory, KEY_NAME))
    try {
      const bytes = Buffer.alloc(CHECKED_BYTES)
      if (file.read(bytes, 0) < CHECKED_BYTES) return undefined
      const secret = bytes.subarray(0, KEY_BYTES)
      return crc32(secret) === bytes.readUInt32LE(KEY_BYTES) ? indexKeys(Uint8Array.from(secret)) : undefined
    } finally {
      file.close()
    }
  } catch {
    return undefined
  }
}

/** Puts a new one there, durably. Files under another key are worth nothing afterwards. */
export function makeIndexKeys(
  files: Files,
  directory: string,
  secret: Uint8Array = randomBytes(KEY_BYTES),
): IndexKeys {
  const bytes = Buffer.alloc(CHECKED_BYTES)
  bytes.set(secret)
  bytes.writeUInt32LE(crc32(secret), KEY_BYTES)
  const path = join(directory, KEY_NAME)
  const file = files.create(path + UNFINISHED_INDEX_SUFFIX)
  try {
    writeFully(file, bytes, 0)
    file.sync()
  } finally {
    file.close()
  }
  files.rename(path + UNFINISHED_INDEX_SUFFIX, path)
  files.syncDirectory(directory)
  return indexKeys(secret)
}
