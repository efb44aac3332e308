import assert from 'node:assert/strict'
import { fitsInPlace, LEVELS, lastLevel, levelOf, swappedLevel } from './levels.ts'
import type { LinkageModel } from './model.ts'
import type { PreparedRecord } from './prepare.ts'

/** In a pattern: nothing to compare, or told by the field that it was swapped with. */
export const NO_EVIDENCE = -1

/** By the model's comparisons: the level of each, or `NO_EVIDENCE`. */
export type Pattern = readonly number[]

/** How alike two records are, field by field; the same both ways round. */
export function compare(a: PreparedRecord, b: PreparedRecord, model: LinkageModel): Pattern {
  const pattern: number[] = []
  for (let at = 0; at < model.comparisons.length; at++) pattern.push(straightLevel(a, b, model, at))
  for (let at = 0; at < pattern.length; at++) {
    const other = model.comparisons[at]?.swapsWith
    if (other !== undefined && at < other && areSwapped(a, b, model, pattern, at, other)) {
      pattern[at] = swappedLevel(kindAt(model, at))
      pattern[other] = NO_EVIDENCE
    }
  }
  return pattern
}

function straightLevel(a: PreparedRecord, b: PreparedRecord, model: LinkageModel, at: number): number {
  const one = a.values[at]
  const other = b.values[at]
  assert(one !== undefined && other !== undefined, 'records are prepared by the same model')
  return typeof one === 'string' || typeof other === 'string'
    ? NO_EVIDENCE
    : levelOf(kindAt(model, at), one, other)
}

function areSwapped(
  a: PreparedRecord,
  b: PreparedRecord,
  model: LinkageModel,
  pattern: Pattern,
  at: number,
  other: number,
): boolean {
  if (pattern[at] !== lastLevel(kindAt(model, at)) || pattern[other] !== lastLevel(kindAt(model, other)))
    return false
  return fits(a, b, at, other) && fits(a, b, other, at)
}

function fits(a: PreparedRecord, b: PreparedRecord, at: number, other: number): boolean {
  const one = a.values[at]
  const crossed = b.values[other]
  if (one === undefined || crossed === undefined) return false
  if (typeof one === 'string' || typeof crossed === 'string') return false
  return fitsInPlace(one, crossed)
}

function kindAt(model: LinkageModel, at: number) {
  const kind = model.comparisons[at]?.kind
  assert(kind !== undefined)
  return kind
}

/** How many levels each comparison has. */
export function levelCounts(model: LinkageModel): readonly number[] {
  return model.comparisons.map(({ kind }) => LEVELS[kind].length)
}

/** A pattern as one number: patterns that are the same have the same one. */
export function patternCode(pattern: Pattern, counts: readonly number[]): number {
  let code = 0
  for (let at = 0; at < counts.length; at++) code = code * ((counts[at] ?? 0) + 1) + (pattern[at] ?? 0) + 1
  assert(Number.isSafeInteger(code), 'patterns of so many fields fit a number')
  return code
}
