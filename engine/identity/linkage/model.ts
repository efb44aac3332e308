import assert from 'node:assert/strict'

/**
 * A pair of records whose match probability reaches this is proposed as a duplicate. One constant for every set of
 * records: whoever proposes what is more probably one than two makes the fewest wrong decisions that can be expected
 * (Bayes' rule with equal costs). It was fixed before anything was measured. A proposal is for a steward to decide; what
 * links by itself, if anything does, asks for more.
 */
export const MATCH_PROBABILITY = 0.5

/**
 * A block with more records than this is left out, and counted: a key that so many share (`Smith` in one big city)
 * tells little, and costs the square of their number.
 */
export const MAX_BLOCK_RECORDS = 200

/** Which passes have a pair stands in the bits of one number. */
const MAX_PASSES = 31

/** What a column holds. Everything else (how it is compared, and what is compared at all) follows from it. */
export type FieldKind =
  | 'given_name'
  | 'surname'
  /** A person's whole name in one field, in any order. */
  | 'full_name'
  | 'birth_date'
  | 'phone'
  | 'email'
  /** A street's name, or another line of an address, without the house number. */
  | 'street'
  | 'house_number'
  /** House number and street in one line. */
  | 'address'
  | 'postcode'
  /** Town, suburb, village. */
  | 'place'
  /** State, province, county. */
  | 'region'
  /** The name of a company, a shop, a restaurant. */
  | 'company'
  /** Industry, cuisine: a few words out of a short list. */
  | 'category'

/** What there is to say about a set of records: its columns' names and what they hold. */
export type Fields = Readonly<Record<string, FieldKind>>

export interface LinkageRecord {
  readonly id: string
  /** The system that it is from; asked for by `onePerSource` only. */
  readonly source?: string | undefined
  /** By field. Absent (or null) and blank are different things; neither is evidence for or against. */
  readonly values: Readonly<Record<string, string | null | undefined>>
}

export interface Comparison {
  readonly field: string
  readonly kind: FieldKind
  /** Index of the comparison whose value is sometimes entered in this one's place, and the other way round. */
  readonly swapsWith: number | undefined
}

/** What is taken of a value to make a blocking key. */
export type Derived =
  | 'whole'
  | 'sound'
  | 'beginning'
  | 'year'
  /** Of a phone number: what doesn't depend on how the country and area code are written. */
  | 'ending'
  /** Of an e-mail address: what stands before the `@`. */
  | 'local'
  /** Each word on its own: several keys. */
  | 'word'
  | 'number'

export interface KeyPart {
  readonly field: string
  readonly derived: Derived
}

/** Records that have a key of it in common are compared. */
export interface BlockingPass {
  readonly name: string
  readonly parts: readonly KeyPart[]
  /** The parts' keys are sorted, so that values in each other's place meet too. */
  readonly anyOrder: boolean
}

export interface LinkageModel {
  readonly comparisons: readonly Comparison[]
  readonly passes: readonly BlockingPass[]
  /** Each source holds each thing once: no group has two records of one source. */
  readonly onePerSource: boolean
}

/** What a pass takes of which kinds. A pass of several parts exists for every combination of fields of its kinds. */
const PASSES: readonly (readonly [FieldKind, Derived])[][] = [
  [['email', 'whole']],
  [['email', 'local']],
  [['phone', 'ending']],
  [['birth_date', 'whole']],
  [
    ['given_name', 'sound'],
    ['surname', 'sound'],
  ],
  [
    ['surname', 'sound'],
    ['birth_date', 'year'],
  ],
  [
    ['given_name', 'sound'],
    ['birth_date', 'year'],
  ],
  [
    ['surname', 'sound'],
    ['postcode', 'whole'],
  ],
  [
    ['given_name', 'sound'],
    ['postcode', 'whole'],
  ],
  [
    ['surname', 'sound'],
    ['place', 'sound'],
  ],
  [
    ['given_name', 'sound'],
    ['place', 'sound'],
  ],
  [
    ['house_number', 'whole'],
    ['postcode', 'whole'],
  ],
  [
    ['house_number', 'whole'],
    ['street', 'word'],
  ],
  [
    ['surname', 'sound'],
    ['street', 'beginning'],
  ],
  [
    ['given_name', 'sound'],
    ['street', 'beginning'],
  ],
  [
    ['address', 'number'],
    ['address', 'word'],
  ],
  [['full_name', 'word']],
  [
    ['full_name', 'word'],
    ['place', 'sound'],
  ],
  [
    ['full_name', 'word'],
    ['postcode', 'whole'],
  ],
  [['company', 'beginning']],
  [['company', 'word']],
]

/**
 * The model that follows from what the columns hold. Nothing in it depends on the records: weights are learnt from them
 * by `learn`.
 */
export function modelOf(
  fields: Fields,
  options: { readonly onePerSource?: boolean | undefined } = {},
): LinkageModel {
  const names = Object.keys(fields).sort()
  assert(names.length > 0, 'records have fields')
  const comparisons = names.map((field, at): Comparison => {
    const kind = fields[field]
    assert(kind !== undefined)
    return { field, kind, swapsWith: partnerOf(names, fields, at) }
  })
  const passes = PASSES.flatMap((kinds) => passesOf(kinds, fields, names))
  assert(passes.length <= MAX_PASSES, 'a record has few fields of each kind')
  return { comparisons, passes, onePerSource: options.onePerSource ?? false }
}

/** Given name and surname swap places, and the two lines of an address. */
function partnerOf(names: readonly string[], fields: Fields, at: number): number | undefined {
  const kind = fields[names[at] ?? '']
  const others = names.flatMap((name, other) => {
    const otherKind = fields[name]
    const fits =
      (kind === 'given_name' && otherKind === 'surname') ||
      (kind === 'surname' && otherKind === 'given_name') ||
      (kind === 'street' && otherKind === 'street')
    return other !== at && fits ? [other] : []
  })
  return others.length === 1 ? others[0] : undefined
}

function passesOf(
  kinds: readonly (readonly [FieldKind, Derived])[],
  fields: Fields,
  names: readonly string[],
): readonly BlockingPass[] {
  let combinations: readonly (readonly KeyPart[])[] = [[]]
  for (const [kind, derived] of kinds) {
    // Two parts of one kind are of one field.
    const known = (parts: readonly KeyPart[]): KeyPart | undefined =>
      parts.find(({ field }) => fields[field] === kind)
    combinations = combinations.flatMap((parts) =>
      names
        .filter((field) => fields[field] === kind && (known(parts)?.field ?? field) === field)
        .map((field) => [...parts, { field, derived }]),
    )
  }
  const anyOrder = kinds.length === 2 && kinds.every(([kind]) => kind === 'given_name' || kind === 'surname')
  return combinations.map((parts) => ({
    name: parts.map(({ field, derived }) => `${field} ${derived}`).join(', '),
    parts,
    anyOrder,
  }))
}
