/**
 * Theorem: what is proposed depends on the set of records alone, not on their order; every proposal is the sum of its reasons;
 * all pairs with a blocking key in common are compared, once, but for blocks above the bound, which are counted; where there
 * are no duplicates none are proposed; sources that hold each thing once are never joined with themselves.
 */
import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { blockingKeys, blocksOf, visitPairs } from '../../../engine/identity/linkage/blocking.ts'
import { candidates, propose } from '../../../engine/identity/linkage/candidates.ts'
import { clusters } from '../../../engine/identity/linkage/clusters.ts'
import { learn } from '../../../engine/identity/linkage/learn.ts'
import {
  type LinkageRecord,
  MATCH_PROBABILITY,
  MAX_BLOCK_RECORDS,
  modelOf,
} from '../../../engine/identity/linkage/model.ts'
import { prepare, prepareAll } from '../../../engine/identity/linkage/prepare.ts'
import { SeededRandom } from '../../../engine/identity/linkage/random.ts'
import { type Candidate, probabilityOf } from '../../../engine/identity/linkage/weights.ts'
import { madeUpPeople, PERSON_FIELDS } from './people.ts'

const MODEL = modelOf(PERSON_FIELDS)
const RECORDS = madeUpPeople(300, 80, 1)
const WEIGHTS = learn(RECORDS, MODEL, 1)
const PROPOSALS = candidates(RECORDS, MODEL, WEIGHTS)

function samePerson({ a, b }: Candidate): boolean {
  return a.split('-')[0] === b.split('-')[0]
}

describe('made-up people', () => {
  test('are found again', () => {
    const right = PROPOSALS.candidates.filter(samePerson).length
    expect(WEIGHTS.converged).toBe(true)
    expect(right).toBeGreaterThanOrEqual(78)
    expect(PROPOSALS.candidates.length - right).toBeLessThanOrEqual(1)
  })

  test('none of whom is there twice give next to no proposals', () => {
    const once = madeUpPeople(300, 0, 2)
    expect(candidates(once, MODEL, learn(once, MODEL, 1)).candidates.length).toBeLessThanOrEqual(1)
  })

  test('weights tell agreement from difference, in bits', () => {
    for (const [at, levels] of WEIGHTS.levels.entries()) {
      const { field } = MODEL.comparisons[at] ?? {}
      expect({ field, same: (levels[0]?.bits ?? 0) > 2 }).toEqual({ field, same: true })
      expect({ field, different: (levels.at(-1)?.bits ?? 0) < -1 }).toEqual({ field, different: true })
      for (const { m, u, bits } of levels) expect(bits).toBeCloseTo(Math.log2(m / u), 9)
    }
  })
})

describe('order', () => {
  test('of the records changes neither weights nor proposals', () => {
    const random = new SeededRandom(3)
    const shuffled = RECORDS.map((record) => ({ record, at: random.below(1_000_000) }))
      .sort((a, b) => a.at - b.at)
      .map(({ record }) => record)
    expect(shuffled).not.toEqual(RECORDS)
    const weights = learn(shuffled, MODEL, 1)
    expect(weights).toEqual(WEIGHTS)
    expect(candidates(shuffled, MODEL, weights)).toEqual(PROPOSALS)
  })

  test('of learning from a sample neither, and another seed draws another one', () => {
    const sample = { randomPairs: 3_000, blockedPairs: 1_000 }
    const weights = learn(RECORDS, MODEL, 1, sample)
    expect(learn([...RECORDS].reverse(), MODEL, 1, sample)).toEqual(weights)
    expect(learn(RECORDS, MODEL, 2, sample)).not.toEqual(weights)
    expect(weights.prior / WEIGHTS.prior).toBeGreaterThan(0.7)
    expect(weights.prior / WEIGHTS.prior).toBeLessThan(1.4)
    for (const [blockedPairs, differs] of [[1_000, true] as const, [1_000_000, false] as const]) {
      const learnt = learn(RECORDS, MODEL, 1, { randomPairs: 1_000_000, blockedPairs })
      expect(learnt.prior !== WEIGHTS.prior).toBe(differs)
    }
  })
})

describe('a proposal', () => {
  test('is the sum of its reasons, one for each field', () => {
    for (const { bits, priorBits, probability, reasons } of PROPOSALS.candidates) {
      expect(reasons.map(({ field }) => field)).toEqual(Object.keys(PERSON_FIELDS).sort())
      expect(reasons.reduce((sum, reason) => sum + reason.bits, priorBits)).toBeCloseTo(bits, 9)
      expect(probability).toBeCloseTo(probabilityOf(bits), 12)
      expect(probability).toBeGreaterThanOrEqual(MATCH_PROBABILITY)
    }
  })

  test('tells what says nothing, and why', () => {
    const a = record('a', { first: 'anna', last: 'adler', phone: '0123456789', town: '' })
    const b = record('b', { first: 'adler', last: 'anna', phone: '0123456789', town: 'bergen' })
    const proposal = propose(prepare(a, MODEL), prepare(b, MODEL), MODEL, WEIGHTS)
    expect(proposal?.reasons.map(({ level }) => level)).toEqual([
      'absent',
      'swapped',
      'told by the other field',
      'same',
      'blank',
    ])
    expect(proposal?.reasons.map(({ bits }) => bits === 0)).toEqual([true, false, true, false, true])
  })

  test('is the same both ways round', () => {
    const [first] = PROPOSALS.candidates
    assert(first !== undefined)
    const find = (id: string) => prepare(RECORDS.find((each) => each.id === id) ?? record('', {}), MODEL)
    const [a, b] = [find(first.a), find(first.b)]
    expect(propose(a, b, MODEL, WEIGHTS)).toEqual(first)
    expect(propose(b, a, MODEL, WEIGHTS)).toEqual(first)
  })

  test('weighs agreement on a rare value more than on a frequent one, counted by people', () => {
    const values = { first: 'zoe', last: 'zwicky', born: '1981-05-24', phone: '0777888999', town: 'bergen' }
    const fiveTimes = Array.from({ length: 5 }, (_, at) => record(`z${at}`, values))
    const once = record('y', { ...values, last: 'yilmaz', born: '1955-01-02', phone: '0123123123' })
    const weights = learn([...RECORDS, ...fiveTimes, once], MODEL, 1)
    const last = weights.frequencies[MODEL.comparisons.findIndex(({ field }) => field === 'last')]
    const share = (name: string): number => last?.shares.get(name) ?? last?.least ?? 0
    expect(share('zwicky') / share('yilmaz')).toBeLessThan(1.2)
    const garcias = RECORDS.filter(
      ({ id, values }) => id.endsWith('-0') && values['last'] === 'garcia',
    ).length
    expect(garcias).toBeGreaterThan(5)
    expect(share('garcia') / share('yilmaz') / garcias).toBeGreaterThan(0.8)
    expect(share('garcia') / share('yilmaz') / garcias).toBeLessThan(1.2)

    const born = (id: string, last: string) => prepare(record(id, { last, born: '1960-02-03' }), MODEL)
    const bitsOf = (last: string) =>
      propose(born('1', last), born('2', last), MODEL, weights)?.bits ?? Number.NaN
    expect(bitsOf('yilmaz') - bitsOf('garcia')).toBeCloseTo(Math.log2(share('garcia') / share('yilmaz')), 6)
  })
})

describe('blocking', () => {
  test('compares every pair with a key in common, once', () => {
    const prepared = prepareAll(RECORDS, MODEL)
    const keys = prepared.map((each) =>
      blockingKeys(each, MODEL).flatMap((own, pass) => own.map((key) => `${pass} ${key}`)),
    )
    const expected: string[] = []
    for (let b = 0; b < keys.length; b++)
      for (let a = 0; a < b; a++)
        if (keys[a]?.some((key) => keys[b]?.includes(key)) === true) expected.push(`${a} ${b}`)
    const visited: string[] = []
    visitPairs(blocksOf(prepared, MODEL), (a, b) => visited.push(`${a} ${b}`))
    expect(visited.sort()).toEqual(expected.sort())
    expect(PROPOSALS.compared).toBe(expected.length)
  })

  test('compares a pair with several keys of one pass in common once', () => {
    const model = modelOf({ name: 'company' })
    const names = ['acme tool works', 'tool works acme', 'acme tools', 'global works']
    const records = names.map((name) => record(name, { name }))
    const prepared = prepareAll(records, model)
    const visited: string[] = []
    visitPairs(blocksOf(prepared, model), (a, b) => visited.push(`${prepared[a]?.id}, ${prepared[b]?.id}`))
    expect(visited.sort()).toEqual([
      'acme tool works, acme tools',
      'acme tool works, global works',
      'acme tool works, tool works acme',
      'acme tools, tool works acme',
      'global works, tool works acme',
    ])
  })

  test("brings names in each other's place together", () => {
    const model = modelOf({ first: 'given_name', last: 'surname' })
    const keys = (first: string, last: string) =>
      blockingKeys(prepare(record('a', { first, last }), model), model)
    expect(keys('Graham', 'Allen')).toEqual(keys('Allen', 'Graham'))
    expect(keys('Graham', 'Allen')).not.toEqual(keys('Graham', 'Smith'))
  })

  test('counts by pass what both records have a key in', () => {
    const prepared = prepareAll(RECORDS, MODEL)
    for (const [pass, { pairs }] of PROPOSALS.passes.entries()) {
      const own = prepared.map((each) => blockingKeys(each, MODEL)[pass] ?? [])
      let expected = 0
      for (let b = 0; b < own.length; b++)
        for (let a = 0; a < b; a++) if (own[a]?.some((key) => own[b]?.includes(key)) === true) expected++
      expect({ pass, pairs }).toEqual({ pass, pairs: expected })
    }
  })

  test('leaves out and counts a block above the bound, and not one at it', () => {
    const model = modelOf({ phone: 'phone' })
    const sharing = (count: number, phone: string): LinkageRecord[] =>
      Array.from({ length: count }, (_, at) => record(`${phone} ${at}`, { phone }))
    const records = [
      ...sharing(MAX_BLOCK_RECORDS, '0111111111'),
      ...sharing(MAX_BLOCK_RECORDS + 1, '0222222222'),
    ]
    const { compared, passes } = candidates(records, model, learn(records, model, 1))
    expect(compared).toBe((MAX_BLOCK_RECORDS * (MAX_BLOCK_RECORDS - 1)) / 2)
    expect(passes).toEqual([
      {
        pass: 'phone ending',
        pairs: compared,
        fresh: compared,
        leftOut: { blocks: 1, pairs: ((MAX_BLOCK_RECORDS + 1) * MAX_BLOCK_RECORDS) / 2 },
      },
    ])
  })
})

describe('groups', () => {
  test('are the transitive closure of the proposals', () => {
    const pair = (a: string, b: string, bits: number) => ({
      a,
      b,
      bits,
      probability: 1,
      priorBits: 0,
      reasons: [],
    })
    const proposals = [pair('a', 'b', 9), pair('c', 'd', 8), pair('b', 'c', 7), pair('x', 'y', 1)]
    expect(clusters(proposals, [], MODEL)).toEqual([
      ['a', 'b', 'c', 'd'],
      ['x', 'y'],
    ])
  })

  test('hold at most one record of each source, where sources hold each thing once: the surest', () => {
    const model = modelOf(PERSON_FIELDS, { onePerSource: true })
    const two = candidates(RECORDS, model, learn(RECORDS, model, 1))
    const sources = new Map(RECORDS.map(({ id, source }) => [id, source]))
    expect(two.candidates.length).toBeGreaterThanOrEqual(78)
    const twin = RECORDS.map((each) => ({ ...each, id: `${each.id}-twin` }))
    expect(candidates([...RECORDS, ...twin], MODEL, WEIGHTS).candidates.length).toBeGreaterThan(380)
    for (const { a, b } of candidates([...RECORDS, ...twin], model, WEIGHTS).candidates)
      expect(sources.get(a.replace('-twin', ''))).not.toBe(sources.get(b.replace('-twin', '')))
    for (const { a, b } of two.candidates) expect(sources.get(a)).not.toBe(sources.get(b))
    for (const group of clusters(two.candidates, RECORDS, model))
      expect(new Set(group.map((id) => sources.get(id))).size).toBe(group.length)

    const pair = (a: string, b: string, bits: number) => ({
      a,
      b,
      bits,
      probability: 1,
      priorBits: 0,
      reasons: [],
    })
    const records = ['a1', 'a2', 'b1'].map((id) => ({ id, source: id[0], values: {} }))
    expect(clusters([pair('a1', 'b1', 3), pair('a2', 'b1', 5)], records, model)).toEqual([['a2', 'b1']])
  })
})

describe('few records', () => {
  test.each([0, 1, 2, 3])('%i of them are no trouble', (count) => {
    const few = RECORDS.slice(0, count)
    const weights = learn(few, MODEL, 1)
    for (const { bits } of weights.levels.flat()) expect(Number.isFinite(bits)).toBe(true)
    expect(candidates(few, MODEL, weights).compared).toBeLessThanOrEqual(3)
  })

  test('records of one id are refused', () => {
    expect(() => learn([record('a', {}), record('a', {})], MODEL, 1)).toThrow('ids of records are unique')
  })
})

function record(id: string, values: LinkageRecord['values']): LinkageRecord {
  return { id, values }
}
