import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
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
import * as t from 'io-ts'

/** What senders (`writeKey`) and readers (`readToken`) present. */
export interface Credentials {
  readonly writeKey: string
  readonly readToken: string
}

export interface LoadedCredentials extends Credentials {
  /** Made just now: whoever starts the engine shows them, once. */
  readonly created: boolean
}

interface CredentialsUnreadable {
  readonly _tag: 'CredentialsUnreadable'
  readonly message: string
}

const FILE_NAME = 'credentials.json'
/** 192 random bits: nobody guesses them, and base64url needs no padding. */
const KEY_BYTES = 24

const fileCodec = t.type({ writeKey: t.string, readToken: t.string })

/**
 * The credentials of a data directory, made at first start and kept in `credentials.json`, readable by its owner only.
 * What the environment names comes first; where it names both, there is no file.
 */
export function loadCredentials(
  directory: string,
  given: { readonly writeKey?: string | undefined; readonly readToken?: string | undefined },
): E.Either<CredentialsUnreadable, LoadedCredentials> {
  const { writeKey, readToken } = given
  if (writeKey !== undefined && readToken !== undefined)
    return E.right({ writeKey, readToken, created: false })
  const path = join(directory, FILE_NAME)
  const kept = readKept(path)
  if (kept._tag === 'Left') return kept
  const created = kept.right === undefined
  const own = kept.right ?? make(directory, path)
  return E.right({ writeKey: writeKey ?? own.writeKey, readToken: readToken ?? own.readToken, created })
}

function readKept(path: string): E.Either<CredentialsUnreadable, Credentials | undefined> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
    chmodSync(path, 0o600)
  } catch (error) {
    if (isMissing(error)) return E.right(undefined)
    return unreadable(path, "it can't be read or its mode can't be set")
  }
  try {
    const decoded = fileCodec.decode(JSON.parse(text))
    return decoded._tag === 'Right' ? decoded : unreadable(path, 'it lacks writeKey or readToken')
  } catch {
    return unreadable(path, 'it is not JSON')
  }
}

function unreadable(path: string, why: string): E.Either<CredentialsUnreadable, never> {
  const message = `${path} is unusable: ${why}. Repair it, or remove it to have new credentials made.`
  return E.left({ _tag: 'CredentialsUnreadable', message })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function make(directory: string, path: string): Credentials {
  const random = () => randomBytes(KEY_BYTES).toString('base64url')
  const credentials = { writeKey: `hw_w_${random()}`, readToken: `hw_r_${random()}` }
  mkdirSync(directory, { recursive: true })
  const bytes = Buffer.from(`${JSON.stringify(credentials, null, 2)}\n`)
  const temporary = `${path}.new`
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', 0o600)
  try {
    assert.equal(writeSync(file, bytes), bytes.length, 'a short write of the credentials')
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  // Whole or not at all: a half-written file would lock everybody out.
  renameSync(temporary, path)
  return credentials
}
