import { NO_EVIDENCE, type Pattern } from './compare.ts'
import { LEVELS } from './levels.ts'
import type { LinkageModel } from './model.ts'
import type { Missing, PreparedRecord } from './prepare.ts'

export interface LevelWeight {
  readonly level: string
  /** Share of matching pairs that are on this level, and of others. */
  readonly m: number
  readonly u: number
  /** log2(m / u): how much it says for a match, or against it. */
  readonly bits: number
}

/** What was learnt from records. Holds values of theirs (`frequencies`), so it is personal data. */
export interface Weights {
  /** Share of matching pairs among all pairs of records. */
  readonly prior: number
  /** By the model's comparisons, and level. */
  readonly levels: readonly (readonly LevelWeight[])[]
  /** By comparison, of kinds that are weighed by it: value → share of people who have it. */
  readonly frequencies: readonly (Frequencies | undefined)[]
  /** Whether the estimate came to rest; weights that didn't are not to be relied on. */
  readonly converged: boolean
}

export interface Frequencies {
  /** Of values that more than one person has. */
  readonly shares: ReadonlyMap<string, number>
  /** Of all others: that of one person. */
  readonly least: number
}

/** One field's part in a proposal. It names no values: whoever may see those reads them where they are kept. */
export interface Reason {
  readonly field: string
  /** One of the field's levels, or why it says nothing. */
  readonly level: string
  readonly bits: number
}

/** Two records that are probably of one person or company. */
export interface Candidate {
  /** Ids, the smaller one first. */
  readonly a: string
  readonly b: string
  /** log2 of the odds that they match: `priorBits` and those of all reasons. */
  readonly bits: number
  readonly probability: number
  /** log2 of the odds of any pair of records: how much the reasons must outweigh. */
  readonly priorBits: number
  readonly reasons: readonly Reason[]
}

/** Bits of a pattern with the prior's, and of single fields. */
export function bitsOf(a: PreparedRecord, b: PreparedRecord, pattern: Pattern, weights: Weights): number {
  let bits = oddsBits(weights.prior)
  for (let at = 0; at < pattern.length; at++) bits += fieldBits(a, b, at, pattern[at] ?? NO_EVIDENCE, weights)
  return bits
}

export function candidateOf(
  a: PreparedRecord,
  b: PreparedRecord,
  pattern: Pattern,
  model: LinkageModel,
  weights: Weights,
): Candidate {
  const [first, second] = a.id < b.id ? [a, b] : [b, a]
  const reasons = model.comparisons.map(({ field, kind }, at): Reason => {
    const level = pattern[at] ?? NO_EVIDENCE
    return level === NO_EVIDENCE
      ? { field, level: nothingSaid(a, b, at), bits: 0 }
      : { field, level: LEVELS[kind][level] ?? '', bits: fieldBits(a, b, at, level, weights) }
  })
  const bits = bitsOf(a, b, pattern, weights)
  return {
    a: first.id,
    b: second.id,
    bits,
    probability: probabilityOf(bits),
    priorBits: oddsBits(weights.prior),
    reasons,
  }
}

/** An order of candidates that depends on nothing else. */
export function surestFirst(a: Candidate, b: Candidate): number {
  if (a.bits !== b.bits) return b.bits - a.bits
  if (a.a !== b.a) return a.a < b.a ? -1 : 1
  return a.b < b.b ? -1 : 1
}

export function probabilityOf(bits: number): number {
  return 1 / (1 + 2 ** -bits)
}

export function oddsBits(probability: number): number {
  return Math.log2(probability / (1 - probability))
}

function fieldBits(
  a: PreparedRecord,
  b: PreparedRecord,
  at: number,
  level: number,
  { levels, frequencies }: Weights,
): number {
  if (level === NO_EVIDENCE) return 0
  const weight = levels[at]?.[level]
  if (weight === undefined) return 0
  const known = frequencies[at]
  if (known === undefined || level !== 0) return weight.bits
  // How often two people agree on this very value is how many have it.
  return Math.log2(weight.m / Math.max(shareOf(known, a, at), shareOf(known, b, at)))
}

function shareOf({ shares, least }: Frequencies, record: PreparedRecord, at: number): number {
  const value = record.values[at]
  return value === undefined || typeof value === 'string' ? least : (shares.get(value.text) ?? least)
}

function nothingSaid(a: PreparedRecord, b: PreparedRecord, at: number): Missing | 'told by the other field' {
  const missing = [a.values[at], b.values[at]]
  if (missing.includes('absent')) return 'absent'
  return missing.includes('blank') ? 'blank' : 'told by the other field'
}
