import { strict as assert } from 'node:assert'
import type { IdentityId } from '../events/identity.ts'
import type { KeyOperation, Presence } from './key-tables.ts'
import type { KeyClass } from './privacy.ts'

/**
 * Says of most rows that don't exist that they don't, without asking the tables: a new visitor costs four look-ups
 * that find nothing. It knows 32 random bits of each row (of a MAC, of an owner's id), some 8 bytes a row; of ten
 * million rows it takes one in 400 missing ones for present, which costs a look-up. Rows that were destroyed go on being
 * taken for present.
 */
export class Screen {
  readonly #identities = new FingerprintSet()
  readonly #dataKeys = new FingerprintSet()
  readonly #marks = new FingerprintSet()

  constructor(present: Iterable<Presence>) {
    for (const presence of present) {
      if (presence.kind === 'data_key') this.#dataKeys.add(ownerBits(presence.owner, presence.retention))
      else (presence.kind === 'mark' ? this.#marks : this.#identities).add(macBits(presence.mac))
    }
  }

  /** What will be in the tables. */
  add(operation: KeyOperation): void {
    switch (operation.kind) {
      case 'identity':
        this.#identities.add(macBits(operation.mac))
        return
      case 'data_key':
        this.#dataKeys.add(ownerBits(operation.owner, operation.retention))
        return
      case 'destroy_owner':
        if (operation.mark !== undefined) this.#marks.add(macBits(operation.mark.mac))
        return
      case 'destroy_key':
        return
    }
  }

  mayHoldIdentity(mac: Uint8Array): boolean {
    return this.#identities.has(macBits(mac))
  }

  mayHoldDataKey(owner: IdentityId, retention: KeyClass): boolean {
    return this.#dataKeys.has(ownerBits(owner, retention))
  }

  mayHoldMark(mac: Uint8Array): boolean {
    return this.#marks.has(macBits(mac))
  }
}

function macBits(mac: Uint8Array): number {
  return ((mac[0] ?? 0) << 24) | ((mac[1] ?? 0) << 16) | ((mac[2] ?? 0) << 8) | (mac[3] ?? 0)
}

/** Ids are random, so eight of their digits are. Classes are few; each turns the bits its own way. */
function ownerBits(owner: IdentityId, retention: KeyClass): number {
  const salt = Math.imul(
    (retention.charCodeAt(0) << 8) | retention.charCodeAt(retention.length - 1),
    0x9e3779b1,
  )
  return Number.parseInt(owner.slice(0, 8), 16) ^ salt
}

/** A set of 32-bit numbers that are random already: open addressing by their upper bits, at most 3/5 full. */
class FingerprintSet {
  /** 0: free. */
  #slots = new Uint32Array(1_024)
  #used = 0

  add(bits: number): void {
    if (this.#used * 5 >= this.#slots.length * 3) this.#grow()
    if (insert(this.#slots, bits >>> 0 || 1)) this.#used += 1
  }

  has(bits: number): boolean {
    const wanted = bits >>> 0 || 1
    const slots = this.#slots
    for (let at = home(slots, wanted); ; at = (at + 1) & (slots.length - 1)) {
      const found = slots[at]
      if (found === wanted) return true
      if (found === 0) return false
    }
  }

  #grow(): void {
    const larger = new Uint32Array(this.#slots.length * 2)
    for (const bits of this.#slots) if (bits !== 0) insert(larger, bits)
    this.#slots = larger
  }
}

function home(slots: Uint32Array, bits: number): number {
  return bits >>> (Math.clz32(slots.length) + 1)
}

function insert(slots: Uint32Array, bits: number): boolean {
  for (let at = home(slots, bits); ; at = (at + 1) & (slots.length - 1)) {
    const found = slots[at]
    assert(found !== undefined, 'a home lies in the table')
    if (found === bits) return false
    if (found !== 0) continue
    slots[at] = bits
    return true
  }
}
