import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { ED25519, formatVerifierKey, isKeyName, keyId } from './verify.ts'

/** Signs tree heads: https://c2sp.org/signed-note, Ed25519. */
export interface Signer {
  readonly name: string
  readonly verifierKey: string
  /** `text` ends in a newline; answers the signed note. */
  sign(text: string): string
}

/** What stands before the 32 bytes of a seed in a PKCS #8 private key (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SEED_BYTES = 32

/**
 * A signer key as Go's golang.org/x/mod/sumdb/note writes it: `PRIVATE+KEY+<name>+<key id>+<base64(0x01 ‖ seed)>`.
 */
export function formatSignerKey(name: string, seed: Uint8Array): string {
  const id = keyId(name, publicBytes(privateKey(seed))).toString('hex')
  const encoded = Buffer.concat([Buffer.of(ED25519), seed]).toString('base64')
  return `PRIVATE+KEY+${name}+${id}+${encoded}`
}

/** Undefined for whatever is no such key. */
export function parseSignerKey(text: string): Signer | undefined {
  const [, name = '', id = '', encoded = ''] =
    /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? []
  const bytes = Buffer.from(encoded, 'base64')
  if (!isKeyName(name) || bytes.length !== 1 + SEED_BYTES || bytes[0] !== ED25519) return undefined
  const key = privateKey(bytes.subarray(1))
  const own = publicBytes(key)
  const ownId = keyId(name, own)
  if (ownId.toString('hex') !== id) return undefined
  return {
    name,
    verifierKey: formatVerifierKey(name, own),
    sign(note) {
      const signature = Buffer.concat([ownId, sign(null, Buffer.from(note), key)])
      return `${note}\n— ${name} ${signature.toString('base64')}\n`
    },
  }
}

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
}

function publicBytes(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
}

/** The text of a checkpoint (https://c2sp.org/tlog-checkpoint). */
export function treeHeadText(origin: string, size: number, root: Uint8Array): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`
}
