/**
 * The offline verifier: everything that checks a proof, in one file that needs nothing but SHA-256 and Ed25519.
 *
 * Sources: Merkle tree, inclusion and consistency proofs: RFC 6962, section 2.1; the checking algorithms: RFC 9162,
 * 2.1.3.2 and 2.1.4.2. Signed notes and verifier keys: https://c2sp.org/signed-note. Tree heads:
 * https://c2sp.org/tlog-checkpoint. What an entry is, and what a proof proves: FORMAT.md beside this file.
 */
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto'

/** Why something wasn't verified; a whole sentence. */
export class VerificationFailed extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'VerificationFailed'
  }
}

function reject(message: string): never {
  throw new VerificationFailed(message)
}

const HASH_BYTES = 32
const ENTRY_BYTES = 8 + HASH_BYTES

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer')
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

// ------------------------------------------------------------------------------------------------ the Merkle tree

export function leafHash(entry: Uint8Array): Buffer {
  return sha256(Buffer.of(0x00), entry)
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(Buffer.of(0x01), left, right)
}

/** position (8 bytes, big-endian) ‖ SHA-256(the event's stored bytes). */
export function entryOf(position: number, event: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(position))
  return Buffer.concat([bytes, sha256(event)])
}

/** The root that an inclusion path leads to; throws where the path has the wrong length. RFC 9162, 2.1.3.2. */
export function rootOfInclusion(
  leaf: Uint8Array,
  leafIndex: number,
  size: number,
  path: readonly Uint8Array[],
): Uint8Array {
  if (!(isSize(leafIndex) && isSize(size) && leafIndex < size)) reject('the leaf is outside of the tree')
  let node = BigInt(leafIndex)
  let last = BigInt(size) - 1n
  let root = leaf
  for (const sibling of path) {
    if (last === 0n) reject('the inclusion path is too long')
    if (node % 2n === 1n || node === last) {
      root = nodeHash(sibling, root)
      while (node % 2n === 0n && node !== 0n) {
        node >>= 1n
        last >>= 1n
      }
    } else {
      root = nodeHash(root, sibling)
    }
    node >>= 1n
    last >>= 1n
  }
  if (last !== 0n) reject('the inclusion path is too short')
  return root
}

/** Throws unless the larger tree begins with the leaves of the smaller one. RFC 9162, 2.1.4.2. */
export function verifyConsistency(from: TreeHead, to: TreeHead, path: readonly Uint8Array[]): void {
  if (from.size > to.size) reject('the first tree head is of the larger tree')
  if (!(isSize(to.size) && from.size > 0)) reject('every tree begins with the empty one: that proves nothing')
  if (from.size === to.size) {
    if (path.length > 0) reject('the consistency path is too long')
    if (!equal(from.root, to.root)) reject(`the tree heads of size ${from.size} differ`)
    return
  }
  // A complete subtree is its own first node, and is left out of the path.
  const complete = (BigInt(from.size) & (BigInt(from.size) - 1n)) === 0n
  const [first, ...rest] = complete ? [from.root, ...path] : path
  if (first === undefined) reject('the consistency path is too short')
  let node = BigInt(from.size) - 1n
  let last = BigInt(to.size) - 1n
  while (node % 2n === 1n) {
    node >>= 1n
    last >>= 1n
  }
  let before = first
  let after = first
  for (const sibling of rest) {
    if (last === 0n) reject('the consistency path is too long')
    if (node % 2n === 1n || node === last) {
      before = nodeHash(sibling, before)
      after = nodeHash(sibling, after)
      while (node % 2n === 0n && node !== 0n) {
        node >>= 1n
        last >>= 1n
      }
    } else {
      after = nodeHash(after, sibling)
    }
    node >>= 1n
    last >>= 1n
  }
  if (last !== 0n) reject('the consistency path is too short')
  if (!equal(before, from.root)) reject(`the tree of ${to.size} doesn't begin with the tree of ${from.size}`)
  if (!equal(after, to.root)) reject(`the consistency path doesn't lead to the tree head of size ${to.size}`)
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

// ------------------------------------------------------------------------------------------------ signed tree heads

export interface TreeHead {
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
}

export interface VerifierKey {
  readonly name: string
  /** The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key). */
  readonly id: Uint8Array
  readonly publicKey: KeyObject
}

/** Signature type of Ed25519 in https://c2sp.org/signed-note. */
export const ED25519 = 0x01
/** What stands before the 32 bytes in a SubjectPublicKeyInfo (RFC 8410, section 4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
/** Names hold neither white space nor a plus. */
const KEY_NAME = /^[^\s+]+$/u

export function isKeyName(name: string): boolean {
  return KEY_NAME.test(name)
}

export function keyId(name: string, publicKey: Uint8Array): Buffer {
  return sha256(Buffer.from(`${name}\n`), Buffer.of(ED25519), publicKey).subarray(0, 4)
}

/** `<name>+<key id, 8 hexadecimal digits>+<base64(0x01 ‖ public key)>`. */
export function formatVerifierKey(name: string, publicKey: Uint8Array): string {
  const key = Buffer.concat([Buffer.of(ED25519), publicKey]).toString('base64')
  return `${name}+${keyId(name, publicKey).toString('hex')}+${key}`
}

export function parseVerifierKey(text: string): VerifierKey {
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? []
  const key = base64(encoded)
  if (!isKeyName(name) || key?.length !== 1 + HASH_BYTES || key[0] !== ED25519)
    reject('this is no Ed25519 verifier key: it looks like name+01234567+A…')
  const publicKey = key.subarray(1)
  if (keyId(name, publicKey).toString('hex') !== id) reject('the verifier key is damaged: its id is wrong')
  const spki = Buffer.concat([SPKI_PREFIX, publicKey])
  return {
    name,
    id: Buffer.from(id, 'hex'),
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
  }
}

/** Notes have one signature, perhaps some of witnesses. */
const MAX_NOTE_LENGTH = 100_000

/** The tree head in a signed note; throws unless `key` signed it. */
export function openTreeHead(note: string, key: VerifierKey): TreeHead {
  const { text, signatures } = splitNote(note)
  const named = signatures.filter(({ name }) => name === key.name)
  const own = named.filter(({ bytes }) => equal(bytes.subarray(0, 4), key.id))
  if (own.length === 0) {
    const others = signatures.map(
      ({ name, bytes }) => `${name}+${Buffer.from(bytes.subarray(0, 4)).toString('hex')}`,
    )
    reject(`the tree head is signed by another key (${others.join(', ')}), not by ${key.name}`)
  }
  for (const { bytes } of own) {
    if (!verify(null, Buffer.from(text), key.publicKey, bytes.subarray(4)))
      reject('the signature of the tree head is wrong')
  }
  const head = parseTreeHead(text)
  if (head.origin !== key.name) reject(`the tree head is of the log ${head.origin}, not of ${key.name}`)
  return head
}

interface Signature {
  readonly name: string
  /** Key id, 4 bytes, then the signature. */
  readonly bytes: Buffer
}

/** Notes hold no control characters but newlines. */
function hasControls(note: string): boolean {
  for (let at = 0; at < note.length; at++) if (note.charCodeAt(at) < 0x20 && note[at] !== '\n') return true
  return false
}

export function splitNote(note: string): {
  readonly text: string
  readonly signatures: readonly Signature[]
} {
  const end = note.lastIndexOf('\n\n')
  const malformed = !note.endsWith('\n') || !note.isWellFormed() || hasControls(note)
  if (note.length > MAX_NOTE_LENGTH || malformed || end < 0) reject('this is no signed note')
  const signatures = note
    .slice(end + 2, -1)
    .split('\n')
    .map((line) => {
      const [, name, encoded = ''] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? []
      const bytes = base64(encoded)
      if (name === undefined || bytes === undefined || bytes.length < 5)
        reject('a signature line of the note is malformed')
      return { name, bytes }
    })
  return { text: note.slice(0, end + 1), signatures }
}

/** A checkpoint's text: origin, size, root, and lines that we don't know. */
export function parseTreeHead(text: string): TreeHead {
  const [origin = '', size = '', encoded = ''] = text.split('\n')
  const root = base64(encoded)
  const sound = origin !== '' && /^(0|[1-9]\d{0,15})$/.test(size) && isSize(Number(size))
  if (!sound || root?.length !== HASH_BYTES) reject('the note is signed, but holds no tree head')
  return { origin, size: Number(size), root }
}

/** Standard base64 (RFC 4648, section 4) in its one canonical form; undefined for anything else. */
function base64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

// ------------------------------------------------------------------------------------------------ proof bundles

export const INCLUSION_FORMAT = 'headwater-inclusion-proof/1'
export const CONSISTENCY_FORMAT = 'headwater-consistency-proof/1'

/** That an event is in the log. Bytes are base64; the fields stand in this order. */
export interface InclusionBundle {
  readonly format: typeof INCLUSION_FORMAT
  readonly position: number
  readonly leafIndex: number
  readonly event: string
  readonly entry: string
  readonly path: readonly string[]
  readonly treeHead: string
}

/** That the log of the tree head `to` begins with that of `from`, unchanged. */
export interface ConsistencyBundle {
  readonly format: typeof CONSISTENCY_FORMAT
  readonly from: string
  readonly path: readonly string[]
  readonly to: string
}

export type Bundle = InclusionBundle | ConsistencyBundle

/** One line of JSON. There is one way only to write a bundle, so every byte of it counts. */
export function formatBundle(bundle: Bundle): string {
  return `${JSON.stringify(bundle)}\n`
}

export function parseBundle(text: string): Bundle {
  const value = parseJson(text)
  const { format } = value
  const bundle = format === INCLUSION_FORMAT ? readInclusion(value) : readConsistency(value)
  if (formatBundle(bundle) !== text)
    reject('this is no proof bundle: it was edited, or a newer release wrote it')
  return bundle
}

type Fields = Readonly<Record<string, unknown>>

function parseJson(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    reject('this is no proof bundle: it is not JSON')
  }
  if (typeof value !== 'object' || value === null) reject('this is no proof bundle')
  return Object.fromEntries(Object.entries(value))
}

function readInclusion(fields: Fields): InclusionBundle {
  return {
    format: INCLUSION_FORMAT,
    position: numberAt(fields, 'position'),
    leafIndex: numberAt(fields, 'leafIndex'),
    event: textAt(fields, 'event'),
    entry: textAt(fields, 'entry'),
    path: textsAt(fields, 'path'),
    treeHead: textAt(fields, 'treeHead'),
  }
}

function readConsistency(fields: Fields): ConsistencyBundle {
  if (fields['format'] !== CONSISTENCY_FORMAT) reject('this is no proof bundle that this release knows')
  return {
    format: CONSISTENCY_FORMAT,
    from: textAt(fields, 'from'),
    path: textsAt(fields, 'path'),
    to: textAt(fields, 'to'),
  }
}

function numberAt(fields: Fields, name: string): number {
  const value = fields[name]
  return typeof value === 'number' && isSize(value)
    ? value
    : reject(`the bundle's ${name} is no whole number`)
}

function textAt(fields: Fields, name: string): string {
  const value = fields[name]
  return typeof value === 'string' ? value : reject(`the bundle's ${name} is no text`)
}

function textsAt(fields: Fields, name: string): readonly string[] {
  const value: unknown = fields[name]
  if (!Array.isArray(value)) reject(`the bundle's ${name} is no list`)
  return value.map((each: unknown) =>
    typeof each === 'string' ? each : reject(`the bundle's ${name} is no list of texts`),
  )
}

function bytesOf(text: string, name: string): Buffer {
  return base64(text) ?? reject(`the bundle's ${name} is not base64`)
}

function pathOf(bundle: Bundle): readonly Buffer[] {
  return bundle.path.map((each) => {
    const bytes = bytesOf(each, 'path')
    return bytes.length === HASH_BYTES ? bytes : reject("the bundle's path holds something else than hashes")
  })
}

/** What bundles were found to prove. */
export interface Verdict {
  readonly bundles: readonly string[]
  /** False: everything is signed and fits together, but nothing was compared with a tree head from outside. */
  readonly againstOutside: boolean
}

/**
 * Verifies bundles, against a tree head that was kept elsewhere if there is one. An inclusion bundle must lead to that
 * very tree head, or to one that consistency bundles among them tie to it. Throws `VerificationFailed`.
 */
export function verifyBundles(
  bundles: readonly Bundle[],
  key: VerifierKey,
  outside: string | undefined,
): Verdict {
  const ties: Tie[] = []
  const proven: { readonly head: TreeHead; readonly says: string }[] = []
  for (const bundle of bundles) {
    if (bundle.format === CONSISTENCY_FORMAT) {
      const [from, to] = [openTreeHead(bundle.from, key), openTreeHead(bundle.to, key)]
      verifyConsistency(from, to, pathOf(bundle))
      ties.push({ from, to })
      proven.push({ head: to, says: `the first ${from.size} events of ${to.size} are unchanged` })
    } else {
      proven.push(verifyInclusion(bundle, openTreeHead(bundle.treeHead, key)))
    }
  }
  if (outside !== undefined) {
    const trusted = tiedTo(openTreeHead(outside, key), ties)
    for (const { head } of proven) requireTrusted(head, trusted)
  }
  return { bundles: proven.map(({ says }) => says), againstOutside: outside !== undefined }
}

function verifyInclusion(bundle: InclusionBundle, head: TreeHead): { head: TreeHead; says: string } {
  const entry = bytesOf(bundle.entry, 'entry')
  const event = bytesOf(bundle.event, 'event')
  if (entry.length !== ENTRY_BYTES) reject("the bundle's entry has the wrong size")
  if (!equal(entry, entryOf(bundle.position, event)))
    reject("the bundle's entry is not that of its event and position")
  const root = rootOfInclusion(leafHash(entry), bundle.leafIndex, head.size, pathOf(bundle))
  if (!equal(root, head.root)) reject(`the event is not in the tree of ${head.size} events at this place`)
  const says = `the event at position ${bundle.position} is number ${bundle.leafIndex + 1} of the log's first ${head.size}`
  return { head, says }
}

function sameHead(a: TreeHead, b: TreeHead): boolean {
  return a.size === b.size && equal(a.root, b.root)
}

interface Tie {
  readonly from: TreeHead
  readonly to: TreeHead
}

/**
 * The tree heads that consistency proofs tie to the one from outside: those that extend it, and those that it or an
 * extension begins with. Never on from the latter: two logs may begin alike and differ later.
 */
function tiedTo(outside: TreeHead, ties: readonly Tie[]): readonly TreeHead[] {
  const extending = closure([outside], ties)
  return closure(
    extending,
    ties.map(({ from, to }) => ({ from: to, to: from })),
  )
}

/** What can be reached along ties. */
function closure(start: readonly TreeHead[], ties: readonly Tie[]): readonly TreeHead[] {
  const reached = [...start]
  const isReached = (head: TreeHead): boolean => reached.some((each) => sameHead(each, head))
  for (let grown = true; grown; ) {
    grown = false
    for (const { from, to } of ties) {
      if (!isReached(from) || isReached(to)) continue
      reached.push(to)
      grown = true
    }
  }
  return reached
}

function requireTrusted(head: TreeHead, trusted: readonly TreeHead[]): void {
  if (trusted.some((each) => sameHead(each, head))) return
  const rival = trusted.find(({ size }) => size === head.size)
  if (rival !== undefined)
    reject(`two different tree heads of size ${head.size} are signed by this key: the log was changed`)
  reject(
    `the proof leads to the tree head of size ${head.size}, and nothing ties it to the one kept elsewhere ` +
      `(size ${trusted[0]?.size}): ask for a proof against that one, or for a consistency proof between them`,
  )
}
