import { strict as assert } from 'node:assert'

/**
 * Statements and their parameters as one buffer, which threads hand over instead of copying thousands of small objects. For
 * each: number of the statement, number of parameters (a byte each); for each parameter: its kind (a byte), then a
 * double, or a length (u32) and so many bytes. Never stored.
 */

export type Parameter = string | number | null | Uint8Array

/** One statement of a transaction: its number among those that the writer was opened with, and its parameters. */
export type Step = readonly [statement: number, parameters: readonly Parameter[]]

const NULL = 0
const NUMBER = 1
const TEXT = 2
const BLOB = 3
const HEAD_BYTES = 5
const NUMBER_BYTES = 9
const INITIAL_BYTES = 16 * 1024

/** Parameters are added in their order, as many as `begin` said. */
export class StepPacker {
  #bytes = Buffer.from(new ArrayBuffer(INITIAL_BYTES))
  #length = 0

  begin(statement: number, parameters: number): void {
    this.#reserve(2)
    this.#bytes[this.#length++] = statement
    this.#bytes[this.#length++] = parameters
  }

  add(parameter: Parameter): void {
    if (parameter === null) this.#null()
    else if (typeof parameter === 'number') this.#number(parameter)
    else if (typeof parameter === 'string') this.text(parameter)
    else this.blob(parameter)
  }

  blob(bytes: Uint8Array): void {
    this.#head(BLOB, bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** A blob, given by its hexadecimal digits. */
  hex(digits: string): void {
    const sizeBytes = digits.length / 2
    this.#head(BLOB, sizeBytes)
    assert(this.#bytes.write(digits, this.#length, 'hex') === sizeBytes, 'hexadecimal digits')
    this.#length += sizeBytes
  }

  text(text: string): void {
    this.#reserve(HEAD_BYTES + 3 * text.length)
    const sizeBytes = this.#bytes.write(text, this.#length + HEAD_BYTES)
    this.#head(TEXT, sizeBytes)
    this.#length += sizeBytes
  }

  /** What was packed, in memory of its own. Nothing may be added any more. */
  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes.buffer, 0, this.#length)
  }

  #null(): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = NULL
  }

  #number(value: number): void {
    this.#reserve(NUMBER_BYTES)
    this.#bytes[this.#length] = NUMBER
    this.#bytes.writeDoubleLE(value, this.#length + 1)
    this.#length += NUMBER_BYTES
  }

  #head(kind: number, sizeBytes: number): void {
    this.#reserve(HEAD_BYTES + sizeBytes)
    this.#bytes[this.#length] = kind
    this.#bytes.writeUInt32LE(sizeBytes, this.#length + 1)
    this.#length += HEAD_BYTES
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const larger = Buffer.from(new ArrayBuffer(Math.max(2 * this.#bytes.length, needed)))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

export function packSteps(steps: readonly Step[]): Uint8Array<ArrayBuffer> {
  const packer = new StepPacker()
  for (const [statement, parameters] of steps) {
    packer.begin(statement, parameters.length)
    for (const parameter of parameters) packer.add(parameter)
  }
  return packer.finish()
}

/** In their order. Blobs are views of `packed`. */
export function* unpackSteps(packed: Uint8Array<ArrayBuffer>): Generator<Step> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  for (let at = 0; at < bytes.length; ) {
    const statement = bytes.readUInt8(at)
    const parameters: Parameter[] = Array<Parameter>(bytes.readUInt8(at + 1))
    at += 2
    for (let i = 0; i < parameters.length; i++) {
      const kind = bytes.readUInt8(at)
      if (kind === NULL) {
        parameters[i] = null
        at += 1
      } else if (kind === NUMBER) {
        parameters[i] = bytes.readDoubleLE(at + 1)
        at += NUMBER_BYTES
      } else {
        const from = at + HEAD_BYTES
        at = from + bytes.readUInt32LE(at + 1)
        parameters[i] = kind === TEXT ? bytes.toString('utf8', from, at) : bytes.subarray(from, at)
      }
    }
    yield [statement, parameters]
  }
}
