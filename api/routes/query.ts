import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { ProblemDetail } from '../problem.ts'
import { invalidQuery } from '../problem.ts'

/** The query string as it stands: flat, in order, decoded. */
export type Pairs = readonly (readonly [name: string, value: string])[]

/** Parameters of one answer; more is a mistake or an attack. */
const MAX_PAIRS = 200

/** Throws a problem where the query isn't well-formed percent-encoded UTF-8. */
export function queryPairs(url: string): Pairs {
  const mark = url.indexOf('?')
  if (mark === -1) return []
  const parts = url
    .slice(mark + 1)
    .split('&')
    .filter((part) => part !== '')
  if (parts.length > MAX_PAIRS) throw invalidQuery([{ message: `has more than ${MAX_PAIRS} parameters` }])
  return parts.map((part) => {
    const equals = part.indexOf('=')
    const name = equals === -1 ? part : part.slice(0, equals)
    return [decode(name), equals === -1 ? '' : decode(part.slice(equals + 1))]
  })
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw invalidQuery([{ message: 'is not percent-encoded UTF-8' }])
  }
}

/** What a parameter's text comes to; `name` says in words what it must be. Only for texts: anything else fails. */
export function parsed<A>(
  name: string,
  is: t.Is<A>,
  parse: (text: string) => A | undefined,
): t.Type<A, string, unknown> {
  const validate: t.Validate<unknown, A> = (input, context) => {
    const value = typeof input === 'string' ? parse(input) : undefined
    return value === undefined ? t.failure(input, context, name) : t.success(value)
  }
  return new t.Type(name, is, validate, String)
}

export function wholeNumber(min: number, max: number): t.Type<number, string, unknown> {
  return parsed(`a whole number from ${min} to ${max}`, t.number.is, (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    return number >= min && number <= max ? number : undefined
  })
}

export const flag = parsed('true or false', t.boolean.is, (text) =>
  text === 'true' ? true : text === 'false' ? false : undefined,
)

export const position = wholeNumber(0, Number.MAX_SAFE_INTEGER)

/** Values separated by commas; a comma or backslash inside a value has a backslash before it. */
export function separated(text: string): readonly string[] {
  const values = ['']
  for (const [piece] of text.matchAll(/\\[\\,]|./gsu)) {
    if (piece === ',') values.push('')
    else values[values.length - 1] += piece.length === 2 && piece.startsWith('\\') ? piece.slice(1) : piece
  }
  return values
}

/** The codec's own complaint, which is its name; never the value. */
export function decodeParameter<A>(
  codec: t.Decoder<unknown, A>,
  parameter: string,
  value: unknown,
): E.Either<ProblemDetail, A> {
  const decoded = codec.decode(value)
  return decoded._tag === 'Right' ? decoded : E.left({ parameter, message: `must be ${codec.name}` })
}

type Codecs = Readonly<Record<string, t.Decoder<unknown, unknown>>>

type ValueOf<D> = D extends t.Decoder<unknown, infer A> ? A : never

type Decoded<C extends Codecs> = { readonly [K in keyof C]?: ValueOf<C[K]> | undefined }

/** Parameters that a route knows, each at most once; everything unknown is an error that names it. */
export function decodeQuery<C extends Codecs>(pairs: Pairs, codecs: C): Decoded<C> {
  const { known, rest } = splitQuery(pairs, codecs)
  if (rest.length > 0) throw invalidQuery(rest.map(([name]) => unknownParameter(name, Object.keys(codecs))))
  return known
}

/** As `decodeQuery`, but hands back what it doesn't know. */
export function splitQuery<C extends Codecs>(pairs: Pairs, codecs: C): { known: Decoded<C>; rest: Pairs } {
  const known: Record<string, unknown> = {}
  const rest: [string, string][] = []
  const errors: ProblemDetail[] = []
  for (const [name, value] of pairs) {
    const codec = Object.hasOwn(codecs, name) ? codecs[name] : undefined
    if (codec === undefined) {
      rest.push([name, value])
      continue
    }
    const decoded = decodeParameter(codec, name, value)
    if (Object.hasOwn(known, name)) errors.push({ parameter: name, message: 'stands there twice' })
    else if (decoded._tag === 'Left') errors.push(decoded.left)
    else known[name] = decoded.right
  }
  if (errors.length > 0) throw invalidQuery(errors)
  // Every value went through the codec of its name.
  return { known: known as Decoded<C>, rest }
}

export function unknownParameter(name: string, known: readonly string[]): ProblemDetail {
  // A name may be a mistyped value: only what looks like a name is repeated.
  const parameter = /^[A-Za-z_][A-Za-z0-9_]{0,63}(\[[a-z]{0,16}\])?$/.test(name) ? name : 'query'
  return { parameter, message: `is unknown here; these are known: ${known.join(', ')}` }
}
