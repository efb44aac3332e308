import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { errorCode } from '../log/embedded/files.ts'
import { CHECKPOINT_NAME, KEY_NAME, NO_ROOM, UNFINISHED_SUFFIX } from './format.ts'
import { formatSignerKey, parseSignerKey, type Signer } from './note.ts'

/** A whole sentence that says what to do; never the key. */
export type KeyFailure = string

/** A new signing key in the form in which it is stored and handed in. */
export function makeSigningKey(origin: string): string {
  return formatSignerKey(origin, randomBytes(32))
}

/**
 * The key handed in, or that of the audit directory. A new one is made only where no tree head was signed yet; it is
 * durable before it is returned.
 */
export function openSigningKey(
  directory: string,
  origin: string,
  handedIn: string | undefined,
): E.Either<KeyFailure, string> {
  if (handedIn !== undefined) return checked(handedIn.trim(), origin, 'HEADWATER_AUDIT_KEY')
  const path = join(directory, KEY_NAME)
  if (existsSync(path)) return checked(readFileSync(path, 'utf8').trim(), origin, path)
  if (existsSync(join(directory, CHECKPOINT_NAME))) {
    return E.left(
      `the signing key ${path} is missing, and tree heads were signed with it: restore it from a backup, or hand it in as HEADWATER_AUDIT_KEY`,
    )
  }
  const key = makeSigningKey(origin)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    writeDurably(directory, path, `${key}\n`)
  } catch (error) {
    if (!NO_ROOM.has(errorCode(error))) throw error
    rmSync(`${path}${UNFINISHED_SUFFIX}`, { force: true })
    return E.left(
      `there is no room to keep a signing key in ${directory}, and without one no tree head is signed: make room and restart the engine`,
    )
  }
  return E.right(key)
}

/** The signing key that is there, without making one; undefined where there is none. */
export function readSigningKey(directory: string, handedIn: string | undefined): Signer | undefined {
  if (handedIn !== undefined) return parseSignerKey(handedIn.trim())
  const path = join(directory, KEY_NAME)
  return existsSync(path) ? parseSignerKey(readFileSync(path, 'utf8').trim()) : undefined
}

function checked(text: string, origin: string, where: string): E.Either<KeyFailure, string> {
  const signer = parseSignerKey(text)
  if (signer === undefined)
    return E.left(`${where} is no signing key: it looks like PRIVATE+KEY+${origin}+01234567+A…`)
  if (signer.name === origin) return E.right(text)
  return E.left(
    `${where} is the signing key of ${signer.name}, not of ${origin}: use the right key, or set HEADWATER_AUDIT_ORIGIN`,
  )
}

function writeDurably(directory: string, path: string, text: string): void {
  const unfinished = `${path}${UNFINISHED_SUFFIX}`
  const file = openSync(unfinished, 'w', 0o600)
  try {
    if (writeSync(file, text) !== text.length) throw new Error(`short write to ${unfinished}`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(unfinished, path)
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
