import fc from 'fast-check'
import type * as t from 'io-ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { kindOf, unreachable } from '../../engine/events/codec-kinds.ts'
import type { FieldKind } from '../../engine/events/fields.ts'

/** Arbitrary data of codecs: what a well-behaved sender might send. */

export type Data = Record<string, unknown>

/** Valid data of a definition's newest version, personal properties and a few that it doesn't know included. */
export function arbitraryData(definition: EventDefinition): fc.Arbitrary<Data> {
  const draw = drawOf(definition.codec)
  const drawData: Draw<Data> = (chances) => {
    const data = asData(draw(chances))
    for (const name of UNKNOWN) if (chances.nextInt(0, 7) === 0) data[name] = drawJson(chances)
    return data
  }
  return new Drawn(drawData, (value): value is Data => definition.codec.is(value))
}

/** Valid values of a codec. */
export function arbitraryOf(codec: t.Mixed): fc.Arbitrary<unknown> {
  return new Drawn(drawOf(codec), (value): value is unknown => codec.is(value))
}

type Draw<T> = (chances: fc.Random) => T

const UNKNOWN = ['x_colour', 'x_size', 'x_score', 'x_nested']

/**
 * What a function draws from fast-check's chances: many times faster than a tree of arbitraries, one for each property. What is
 * tried in place of a value that fails are parts of it.
 */
class Drawn<T> extends fc.Arbitrary<T> {
  readonly #draw: Draw<T>
  readonly #isValid: (value: unknown) => value is T

  constructor(draw: Draw<T>, isValid: (value: unknown) => value is T) {
    super()
    this.#draw = draw
    this.#isValid = isValid
  }

  generate(chances: fc.Random): fc.Value<T> {
    return new fc.Value(this.#draw(chances), undefined)
  }

  canShrinkWithoutContext(value: unknown): value is T {
    return this.#isValid(value)
  }

  shrink(value: T): fc.Stream<fc.Value<T>> {
    return new fc.Stream(smaller(value))
      .filter((each): each is T => this.#isValid(each))
      .map((each) => new fc.Value(each, undefined))
  }
}

/** One in so many values is at an edge of what there is. */
const EDGE = 4

function drawn<T>(arbitrary: fc.Arbitrary<T>, chances: fc.Random): T {
  return arbitrary.generate(chances, EDGE).value
}

function drawOf(codec: t.Mixed): Draw<unknown> {
  const kind = kindOf(codec)
  switch (kind.kind) {
    case 'personal':
      return drawOf(kind.codec.inner)
    case 'field':
      return drawField(kind.codec.kind)
    case 'object':
      return drawObject(kind.props, kind.required)
    case 'intersection': {
      const parts = kind.parts.map(drawOf)
      return (chances) => Object.assign({}, ...parts.map((draw) => draw(chances)))
    }
    case 'union': {
      const members = kind.members.map(drawOf)
      return (chances) => picked(members, chances)(chances)
    }
    case 'array':
      return drawArray(drawOf(kind.element))
    case 'dictionary':
      return drawDictionary(drawOf(kind.value))
    case 'literal':
      return () => kind.value
    case 'choice':
      return (chances) => picked(kind.values, chances)
    case 'any_object':
      return drawDictionary((chances) => drawJson(chances))
    case 'any_array':
      return drawArray((chances) => drawJson(chances))
    case 'boolean':
      return (chances) => chances.nextInt(0, 1) === 1
    case 'null':
      return () => null
    case 'unknown':
      return (chances) => drawJson(chances)
    default:
      return unreachable(kind)
  }
}

function drawArray(draw: Draw<unknown>): Draw<unknown[]> {
  return (chances) => Array.from({ length: chances.nextInt(0, 4) }, () => draw(chances))
}

function drawDictionary(draw: Draw<unknown>): Draw<Data> {
  return (chances) => Object.fromEntries(drawn(names, chances).map((name) => [name, draw(chances)]))
}

/** Of optional properties now a third, now all. */
function drawObject(props: Readonly<Record<string, t.Mixed>>, required: boolean): Draw<Data> {
  const draws = Object.entries(props).map(([name, inner]) => [name, drawOf(inner)] as const)
  return (chances) => {
    const data: Data = {}
    const stated = required ? MOST_STATED : chances.nextInt(LEAST_STATED, MOST_STATED)
    for (const [name, draw] of draws) {
      if (required || chances.nextInt(1, MOST_STATED) <= stated) data[name] = draw(chances)
    }
    return data
  }
}

const LEAST_STATED = 2
const MOST_STATED = 6

function picked<T>(values: readonly T[], chances: fc.Random): T {
  return values[chances.nextInt(0, values.length - 1)] as T
}

/** What is less than a value and like it: fewer properties, elements and characters, then smaller ones. */
function* smaller(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const i of value.keys()) yield value.toSpliced(i, 1)
    for (const [i, each] of value.entries()) for (const less of smaller(each)) yield value.with(i, less)
  } else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
    for (const i of entries.keys()) yield Object.fromEntries(entries.toSpliced(i, 1))
    for (const [i, [name, each]] of entries.entries())
      for (const less of smaller(each)) yield Object.fromEntries(entries.with(i, [name, less]))
  } else if (typeof value === 'string' && value !== '') {
    const characters = [...value]
    const lengths = new Set([0, Math.floor(characters.length / 2), characters.length - 1])
    for (const length of lengths) yield characters.slice(0, length).join('')
  } else if (typeof value === 'number' && value !== 0) {
    yield 0
    if (Math.abs(value) > 1) yield Math.trunc(value / 2)
  }
}

/** Plain decimal strings with a bounded number of digits. */
export const decimalText = fc
  .tuple(fc.constantFrom('', '-', '+'), fc.nat({ max: 99_999_999 }), fc.stringMatching(/^[0-9]{0,7}$/))
  .map(([sign, whole, fraction]) => `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`)

export const instantText = fc
  .date({ min: new Date('1971-01-01T00:00:00Z'), max: new Date('2100-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString())

/** Few of them, so that events agree and tie. */
const commonTexts = ['x', 'y', '', 'é', ' X ']
const texts = fc.string({ unit: 'grapheme', maxLength: 30, size: 'small' })
const ids = fc.string({ minLength: 1, maxLength: 30, size: 'small' }).filter((value) => value.trim() !== '')
const amounts = fc.oneof(
  fc.integer(),
  fc.double({ min: -1e10, max: 1e10, noNaN: true }),
  fc.double({ min: -1e-7, max: 1e-7, noNaN: true }),
  decimalText,
)
const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
const integers = fc.maxSafeInteger()
const INSTANTS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => `${text.slice(0, 19)}+05:30`,
  (text) => text.slice(0, 19).replace('T', ' '),
  (text) => text.slice(0, 10),
]
const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { maxLength: 4 })

/** JSON values that survive JSON: no -0. */
function drawJson(chances: fc.Random, depth = 2): unknown {
  switch (chances.nextInt(depth === 0 ? 2 : 0, 5)) {
    case 0:
      return drawArray(() => drawJson(chances, depth - 1))(chances)
    case 1:
      return drawDictionary(() => drawJson(chances, depth - 1))(chances)
    case 2:
      return null
    case 3:
      return chances.nextInt(0, 1) === 1
    case 4:
      return drawn(finite, chances) + 0
    default:
      return drawField('text')(chances)
  }
}

function drawField(kind: FieldKind): Draw<unknown> {
  switch (kind) {
    case 'text':
      return (chances) => (chances.nextInt(0, 1) === 0 ? picked(commonTexts, chances) : drawn(texts, chances))
    case 'id':
      return (chances) => drawn(ids, chances)
    case 'amount':
      return (chances) => drawn(amounts, chances)
    case 'finite':
      return (chances) => drawn(finite, chances)
    case 'integer':
      return (chances) => drawn(integers, chances)
    case 'instant':
      return (chances) => picked(INSTANTS, chances)(drawn(instantText, chances))
    case 'day':
      return (chances) => drawn(instantText, chances).slice(0, 10)
    case 'time_zone':
      return (chances) => picked(['UTC', 'Europe/London', 'America/Sao_Paulo', 'Asia/Kathmandu'], chances)
    case 'currency':
      return (chances) => picked(['EUR', 'GBP', 'JPY', 'USD'], chances)
    case 'country':
      return (chances) => picked(['AU', 'BR', 'DE', 'GB'], chances)
    default:
      return unreachable(kind)
  }
}

function asData(value: unknown): Data {
  if (typeof value !== 'object' || value === null) throw new Error('data of an event is an object')
  return value as Data
}
