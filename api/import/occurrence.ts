import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

/**
 * Counts how often each text was seen, in 20 bytes or so a distinct text however long it is: texts are known by 64 bits
 * of their SHA-256. Two texts that share them (one pair in 10 million texts with probability 3·10⁻⁶) are counted
 * together, which makes a count higher and nothing else; ids that are built from a count also hold the longer hash.
 */
export interface OccurrenceCounter {
  /** How often it was counted so far. */
  seen(hash: string): number
  count(hash: string): void
}

/** SHA-256 of a list of texts, unambiguous about where one ends, as 32 hexadecimal digits (128 bits). */
export function hashOf(texts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 32)
}

const INITIAL_SLOTS = 1024
const MAX_LOAD = 0.6

export function createOccurrenceCounter(): OccurrenceCounter {
  let slots = INITIAL_SLOTS
  let used = 0
  let table = newTable(slots)

  return {
    seen: (hash) => {
      const { high, low } = words(hash)
      return table.counts[find(table, slots, high, low)] ?? 0
    },
    count: (hash) => {
      const { high, low } = words(hash)
      if (used + 1 > slots * MAX_LOAD) {
        table = grown(table, slots, slots * 2)
        slots *= 2
      }
      const slot = find(table, slots, high, low)
      if (table.counts[slot] === 0) used++
      put(table, slot, high, low, (table.counts[slot] ?? 0) + 1)
    },
  }
}

/** Open addressing with linear probing; a count of 0 marks a free slot. */
interface OccurrenceTable {
  readonly high: Uint32Array
  readonly low: Uint32Array
  readonly counts: Uint32Array
}

function newTable(slots: number): OccurrenceTable {
  assert((slots & (slots - 1)) === 0, 'probing masks with slots - 1')
  return { high: new Uint32Array(slots), low: new Uint32Array(slots), counts: new Uint32Array(slots) }
}

function words(hash: string): { high: number; low: number } {
  return { high: Number.parseInt(hash.slice(0, 8), 16), low: Number.parseInt(hash.slice(8, 16), 16) }
}

function find(table: OccurrenceTable, slots: number, high: number, low: number): number {
  let slot = low & (slots - 1)
  while (table.counts[slot] !== 0 && (table.high[slot] !== high || table.low[slot] !== low)) {
    slot = (slot + 1) & (slots - 1)
  }
  return slot
}

function put(table: OccurrenceTable, slot: number, high: number, low: number, count: number): void {
  table.high[slot] = high
  table.low[slot] = low
  table.counts[slot] = count
}

function grown(from: OccurrenceTable, slots: number, to: number): OccurrenceTable {
  const table = newTable(to)
  for (let i = 0; i < slots; i++) {
    const count = from.counts[i] ?? 0
    const high = from.high[i] ?? 0
    const low = from.low[i] ?? 0
    if (count > 0) put(table, find(table, to, high, low), high, low, count)
  }
  return table
}
