import assert from 'node:assert/strict'
import { hash } from 'node:crypto'

/**
 * SHA-256 (FIPS 180-4) of four messages at once, in the four lanes of WebAssembly's vectors. Hashing a log is hashing
 * millions of short messages, where a call of `node:crypto` costs several times what hashing does. The module is put
 * together here, from opcodes of https://webassembly.github.io/spec/core/binary/instructions.html.
 */

export const BLOCK_BYTES = 64
const LANES = 4
const VECTOR_BYTES = 16

/** Memory: K and H once in each lane, the message schedule, the state, then whatever is hashed. */
const K_AT = 0
const H_AT = 64 * VECTOR_BYTES
const W_AT = H_AT + 8 * VECTOR_BYTES
const STATE_AT = W_AT + 64 * VECTOR_BYTES
export const FREE_AT = STATE_AT + 8 * VECTOR_BYTES
const PAGE_BYTES = 65_536

/** One place for each lane: pointers into the memory. */
type FourPlaces = [number, number, number, number]

export interface Sha256Lanes {
  /** Of a fixed size. What is to be hashed stands in it behind `FREE_AT`. */
  readonly memory: ArrayBuffer
  /** Hashes four messages of `blocks` blocks, padded, at the first four places; digests go to the last four. */
  readonly hash4: (blocks: number, ...places: readonly [...FourPlaces, ...FourPlaces]) => void
}

/** The part of the standard that is used here; Node's types leave it out. */
declare const WebAssembly: {
  readonly Memory: abstract new () => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> }
}

type Code = readonly number[]

function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

function signed(value: number): Code {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]
}

const vector = (op: number, ...rest: readonly Code[]): Code => [0xfd, ...unsigned(op), ...rest.flat()]
const get = (local: number): Code => [0x20, ...unsigned(local)]
const set = (local: number): Code => [0x21, ...unsigned(local)]
const tee = (local: number): Code => [0x22, ...unsigned(local)]
const constant = (value: number): Code => [0x41, ...signed(value)]
const at = (offset: number): Code => [0x00, ...unsigned(offset)]
const load = (offset: number): Code => vector(0, at(offset))
const store = (offset: number): Code => vector(11, at(offset))
const loadLane0 = (offset: number): Code => vector(92, at(offset))
const loadLane = (offset: number, lane: number): Code => vector(86, at(offset), [lane])
const storeLane = (offset: number, lane: number): Code => vector(90, at(offset), [lane])
const shuffle = (lanes: Code): Code => vector(13, lanes)
const LOOP: Code = [0x03, 0x40]
const AGAIN_IF: Code = [0x0d, 0x00]
const END: Code = [0x0b]
const I32_ADD: Code = [0x6a]
const OR = vector(80)
const XOR = vector(81)
const SELECT = vector(82)
const SHL = vector(0xab)
const SHR = vector(0xad)
const ADD = vector(0xae)

const BLOCKS = 0
const FROM = [1, 2, 3, 4] as const
const TO = [5, 6, 7, 8] as const
const INDEX = 9
const X = 10
const Y = 11
/** a to h. */
const STATE = [12, 13, 14, 15, 16, 17, 18, 19] as const
const VECTORS = 10

const BIG_ENDIAN: Code = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]

function rotated(local: number, by: number): Code {
  return [...get(local), ...constant(by), ...SHR, ...get(local), ...constant(32 - by), ...SHL, ...OR]
}

/** Σ of the specification. */
function bigSigma(local: number, [a, b, c]: readonly [number, number, number]): Code {
  return [...rotated(local, a), ...rotated(local, b), ...XOR, ...rotated(local, c), ...XOR]
}

/** σ: the last one is a shift. */
function smallSigma(local: number, [a, b, c]: readonly [number, number, number]): Code {
  const shifted = [...get(local), ...constant(c), ...SHR]
  return [...rotated(local, a), ...rotated(local, b), ...XOR, ...shifted, ...XOR]
}

/** Word `t` of a block of each message, to the schedule. */
function scheduled(t: number): Code {
  const lanes = FROM.map((from, lane) =>
    lane === 0
      ? [...get(from), ...loadLane0(4 * t), ...set(X)]
      : [...get(from), ...get(X), ...loadLane(4 * t, lane), ...set(X)],
  )
  return [
    ...lanes.flat(),
    ...constant(0),
    ...[...get(X), ...get(X), ...shuffle(BIG_ENDIAN)],
    ...store(W_AT + VECTOR_BYTES * t),
  ]
}

/** The word 16 behind INDEX, which counts bytes. */
function extended(): Code {
  const word = (t: number): Code => [...get(INDEX), ...load(W_AT + VECTOR_BYTES * t)]
  return [
    ...get(INDEX),
    ...[...word(14), ...set(X), ...smallSigma(X, [17, 19, 10])],
    ...[...word(9), ...ADD],
    ...[...word(1), ...set(X), ...smallSigma(X, [7, 18, 3]), ...ADD],
    ...[...word(0), ...ADD],
    ...store(W_AT + VECTOR_BYTES * 16),
  ]
}

/** Round INDEX + t; the state's names go round by one each time, its values stay where they are. */
function round(t: number): Code {
  const name = (i: number): number => STATE[(i - t + 8) & 7] ?? 0
  const [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7].map(name) as [...FourPlaces, ...FourPlaces]
  const word = (base: number): Code => [...get(INDEX), ...load(base + VECTOR_BYTES * t)]
  return [
    ...[...get(h), ...word(K_AT), ...ADD, ...word(W_AT), ...ADD],
    ...[...bigSigma(e, [6, 11, 25]), ...ADD],
    ...[...get(f), ...get(g), ...get(e), ...SELECT, ...ADD, ...tee(X)],
    ...[...get(d), ...ADD, ...set(d)],
    // Maj(a, b, c): where a and b differ it is c, else either.
    ...[...get(c), ...get(b), ...get(a), ...get(b), ...XOR, ...SELECT, ...set(Y)],
    ...[...get(X), ...bigSigma(a, [2, 13, 22]), ...ADD, ...get(Y), ...ADD, ...set(h)],
  ]
}

/** Does `body` for INDEX = 0, step … until it is `end`. */
function counted(end: number, step: number, body: Code): Code {
  const next = [...get(INDEX), ...constant(step), ...I32_ADD, ...tee(INDEX)]
  const differs = [...constant(end), 0x47]
  return [...constant(0), ...set(INDEX), ...LOOP, ...body, ...next, ...differs, ...AGAIN_IF, ...END]
}

const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7] as const
const stateAt = (i: number): number => STATE_AT + VECTOR_BYTES * i

function body(): Code {
  const begin = EIGHT.map((i) => [
    ...[...constant(0), ...constant(0)],
    ...[...load(H_AT + VECTOR_BYTES * i), ...tee(STATE[i] ?? 0), ...store(stateAt(i))],
  ])
  const words = Array.from({ length: 16 }, (_, t) => scheduled(t))
  const added = EIGHT.map((i) => [
    ...[...constant(0), ...constant(0), ...load(stateAt(i)), ...get(STATE[i] ?? 0), ...ADD],
    ...[...tee(STATE[i] ?? 0), ...store(stateAt(i))],
  ])
  const moved = FROM.map((from) => [...get(from), ...constant(BLOCK_BYTES), ...I32_ADD, ...set(from)])
  const oneLess = [...get(BLOCKS), ...constant(-1), ...I32_ADD, ...tee(BLOCKS)]
  const digests = EIGHT.map((i) => [
    ...[...get(STATE[i] ?? 0), ...get(STATE[i] ?? 0), ...shuffle(BIG_ENDIAN), ...set(X)],
    ...TO.flatMap((to, lane) => [...get(to), ...get(X), ...storeLane(4 * i, lane)]),
  ])
  return [
    ...begin.flat(),
    ...LOOP,
    ...words.flat(),
    ...counted(48 * VECTOR_BYTES, VECTOR_BYTES, extended()),
    ...counted(64 * VECTOR_BYTES, 8 * VECTOR_BYTES, EIGHT.flatMap(round)),
    ...[...added.flat(), ...moved.flat(), ...oneLess, ...AGAIN_IF],
    ...END,
    ...digests.flat(),
    ...END,
  ]
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content]
}

const I32 = 0x7f
const V128 = 0x7b

function moduleBytes(pages: number): Uint8Array<ArrayBuffer> {
  const code = [2, 1, I32, VECTORS, V128, ...body()]
  const type = [1, 0x60, 9, ...Array.from({ length: 9 }, () => I32), 0]
  const exports = [2, 1, 0x6d, 0x02, 0, 1, 0x68, 0x00, 0]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...[...section(1, type), ...section(3, [1, 0]), ...section(5, [1, 0x00, ...unsigned(pages)])],
    ...[...section(7, exports), ...section(10, [1, ...unsigned(code.length), ...code])],
  ])
}

/** The first 32 bits of the fractional parts of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3). */
function fractions(count: number, root: (prime: number) => number): readonly number[] {
  return primes(count).map((prime) => Math.floor((root(prime) % 1) * 2 ** 32))
}

function primes(count: number): readonly number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n)
  return found
}

/** `sizeBytes` of memory behind `FREE_AT`. Where there is no WebAssembly, or one that is wrong, `node:crypto` hashes. */
export function openLanes(sizeBytes: number): Sha256Lanes {
  try {
    const lanes = vectorLanes(sizeBytes)
    return isRight(lanes) ? lanes : plainLanes(sizeBytes)
  } catch {
    return plainLanes(sizeBytes)
  }
}

export function vectorLanes(sizeBytes: number): Sha256Lanes {
  const pages = Math.ceil((FREE_AT + sizeBytes) / PAGE_BYTES)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes(pages)))
  const { m, h } = exports
  assert.ok(m instanceof WebAssembly.Memory && typeof h === 'function')
  const view = new DataView(m.buffer)
  const fill = (base: number, words: readonly number[]): void => {
    for (const [i, word] of words.entries())
      for (let lane = 0; lane < LANES; lane++) view.setUint32(base + VECTOR_BYTES * i + 4 * lane, word, true)
  }
  fill(K_AT, fractions(64, Math.cbrt))
  fill(H_AT, fractions(8, Math.sqrt))
  return { memory: m.buffer, hash4: h as Sha256Lanes['hash4'] }
}

/** The same by `node:crypto`, one message after the other. */
export function plainLanes(sizeBytes: number): Sha256Lanes {
  const bytes = Buffer.from(new ArrayBuffer(FREE_AT + sizeBytes))
  return {
    memory: bytes.buffer,
    hash4: (blocks, ...places) => {
      for (let lane = 0; lane < LANES; lane++) {
        const from = places[lane] ?? 0
        const length = bytes.readUInt32BE(from + blocks * BLOCK_BYTES - 4) / 8
        const digest = hash('sha256', bytes.subarray(from, from + length), 'binary')
        bytes.write(digest, places[LANES + lane] ?? 0, 'latin1')
      }
    },
  }
}

/** Writes what FIPS 180-4 (5.1.1) puts behind a message that ends at `end`; answers the number of its blocks. */
export function pad(bytes: Uint8Array, view: DataView, from: number, end: number): number {
  const blocks = paddedBlocks(end - from)
  const lengthAt = from + blocks * BLOCK_BYTES - 8
  bytes[end] = 0x80
  for (let at = end + 1; at < lengthAt; at++) bytes[at] = 0
  view.setUint32(lengthAt, Math.floor((end - from) / 2 ** 29))
  view.setUint32(lengthAt + 4, (end - from) * 8)
  return blocks
}

export function paddedBlocks(sizeBytes: number): number {
  return Math.ceil((sizeBytes + 9) / BLOCK_BYTES)
}

/** Four messages of two blocks each, against `node:crypto`. */
function isRight({ memory, hash4 }: Sha256Lanes): boolean {
  const bytes = Buffer.from(memory)
  const view = new DataView(memory)
  const froms: FourPlaces = [0, 1, 2, 3].map((lane) => FREE_AT + lane * 2 * BLOCK_BYTES) as FourPlaces
  const to = froms.map((_, lane) => FREE_AT + 8 * BLOCK_BYTES + lane * 32) as FourPlaces
  const texts = froms.map((from, lane) => {
    const end = from + 70 + lane
    for (let at = from; at < end; at++) bytes[at] = at * (lane + 7)
    const digest = hash('sha256', bytes.subarray(from, end), 'buffer')
    pad(bytes, view, from, end)
    return digest
  })
  hash4(2, ...froms, ...to)
  const right = texts.every((digest, lane) => digest.equals(bytes.subarray(to[lane], (to[lane] ?? 0) + 32)))
  bytes.fill(0, FREE_AT, FREE_AT + 10 * BLOCK_BYTES)
  return right
}
