import assert from 'node:assert/strict'
import { PHONE_ENDING } from './levels.ts'
import { type BlockingPass, type KeyPart, type LinkageModel, MAX_BLOCK_RECORDS } from './model.ts'
import type { PreparedRecord, PreparedValue } from './prepare.ts'
import { soundex } from './soundex.ts'

const BEGINNING_LETTERS = 4
const LEAST_WORD_LETTERS = 3

/**
 * By the model's passes: the keys of a record. Records that have one in common are compared; a store keeps them as an index.
 * They hold personal data.
 */
export function blockingKeys(record: PreparedRecord, model: LinkageModel): readonly (readonly string[])[] {
  return model.passes.map((pass) => keysOf(record, pass, model))
}

function keysOf(record: PreparedRecord, pass: BlockingPass, model: LinkageModel): readonly string[] {
  let keys: readonly (readonly string[])[] = [[]]
  for (const part of pass.parts) {
    const derived = derivedOf(record, part, model)
    keys = keys.flatMap((key) => derived.map((each) => [...key, each]))
  }
  const joined = keys.map((key) => (pass.anyOrder ? [...key].sort() : key).join(' '))
  return [...new Set(joined)].sort()
}

function derivedOf(record: PreparedRecord, part: KeyPart, model: LinkageModel): readonly string[] {
  const value = record.values[model.comparisons.findIndex(({ field }) => field === part.field)]
  assert(value !== undefined, 'passes take fields that are compared')
  if (typeof value === 'string') return []
  return derive(value, part).filter((key) => key !== '')
}

function derive({ text, part, words }: PreparedValue, { derived }: KeyPart): readonly string[] {
  switch (derived) {
    case 'whole':
      return [text]
    case 'sound':
      return [soundex(text)]
    case 'beginning':
      return [text.slice(0, BEGINNING_LETTERS)]
    case 'year':
      return [text.slice(0, 4)]
    case 'ending':
      return [text.slice(-PHONE_ENDING)]
    case 'local':
    case 'number':
      return [part]
    case 'word':
      return words.filter((word) => word.length >= LEAST_WORD_LETTERS)
  }
}

/** Blocks of a pass with too many records, and how many pairs weren't compared in them for it. */
export interface LeftOut {
  readonly blocks: number
  readonly pairs: number
}

export interface Blocks {
  /** By pass and record: its blocks, ascending. */
  readonly keys: readonly (readonly (readonly number[])[])[]
  /** By pass: blocks of at least two records, their number → indexes of records, ascending. */
  readonly members: readonly ReadonlyMap<number, readonly number[]>[]
  /** By pass. */
  readonly leftOut: readonly LeftOut[]
}

export function blocksOf(records: readonly PreparedRecord[], model: LinkageModel): Blocks {
  const keys = records.map((record) => blockingKeys(record, model))
  const made = model.passes.map((_, pass) => {
    const groups = new Map<string, number[]>()
    for (const [record, byPass] of keys.entries()) {
      for (const key of byPass[pass] ?? []) {
        const group = groups.get(key)
        if (group === undefined) groups.set(key, [record])
        else group.push(record)
      }
    }
    return passBlocks(groups, records.length)
  })
  return {
    keys: made.map(({ keys }) => keys),
    members: made.map(({ members }) => members),
    leftOut: made.map(({ leftOut }) => leftOut),
  }
}

function passBlocks(groups: ReadonlyMap<string, readonly number[]>, records: number) {
  const leftOut = { blocks: 0, pairs: 0 }
  const keys: number[][] = Array.from({ length: records }, () => [])
  const members = new Map<number, readonly number[]>()
  for (const group of groups.values()) {
    if (group.length < 2) continue
    if (group.length > MAX_BLOCK_RECORDS) {
      leftOut.blocks++
      leftOut.pairs += pairsAmong(group.length)
      continue
    }
    for (const record of group) keys[record]?.push(members.size)
    members.set(members.size, group)
  }
  return { keys, members, leftOut }
}

export function pairsAmong(records: number): number {
  return (records * (records - 1)) / 2
}

/** Pairs in all blocks; those that are in several count in each. */
export function pairsInBlocks(blocks: Blocks): number {
  let pairs = 0
  for (const members of blocks.members)
    for (const group of members.values()) pairs += pairsAmong(group.length)
  return pairs
}

/**
 * Visits every pair of records that have a key in common, once, the one with the smaller index first. `passes` has the
 * bit of every pass in which they have.
 */
export function visitPairs(blocks: Blocks, visit: (a: number, b: number, passes: number) => void): void {
  for (const [pass, members] of blocks.members.entries()) {
    for (const [block, group] of members) {
      for (const [at, b] of group.entries()) {
        for (let i = 0; i < at; i++) visitPair(blocks, pass, block, group[i] ?? 0, b, visit)
      }
    }
  }
}

function visitPair(
  blocks: Blocks,
  pass: number,
  block: number,
  a: number,
  b: number,
  visit: (a: number, b: number, passes: number) => void,
): void {
  // Whichever block comes first of those that both are in has the pair.
  if (firstCommon(blocks, pass, a, b) !== block) return
  for (let earlier = 0; earlier < pass; earlier++) if (firstCommon(blocks, earlier, a, b) >= 0) return
  let passes = 0
  for (let later = pass; later < blocks.members.length; later++) {
    if (later === pass || firstCommon(blocks, later, a, b) >= 0) passes |= 1 << later
  }
  visit(a, b, passes)
}

/** −1: none. */
function firstCommon({ keys }: Blocks, pass: number, a: number, b: number): number {
  const one = keys[pass]?.[a] ?? []
  const other = keys[pass]?.[b] ?? []
  let i = 0
  let j = 0
  while (i < one.length && j < other.length) {
    const left = one[i] ?? 0
    const right = other[j] ?? 0
    if (left === right) return left
    if (left < right) i++
    else j++
  }
  return -1
}
