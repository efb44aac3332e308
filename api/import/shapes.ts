import * as t from 'io-ts'

/**
 * Codec combinators for configuration that people write by hand: io-ts's own strip or tolerate properties that they
 * don't know, and report a union by every branch that didn't match. Here a misspelt property is an error that names
 * the known ones, and an object is validated against the one shape that its keys announce.
 */

/** Where and what, for people: `events[0].id.template`. */
export interface Problem {
  readonly path: string
  readonly message: string
}

type ClosedOf<R extends t.Props, O extends t.Props> = {
  readonly [K in keyof R]: t.TypeOf<R[K]>
} & { readonly [K in keyof O]?: t.TypeOf<O[K]> | undefined }

/** An object with these properties and no others. */
export class ClosedType<R extends t.Props, O extends t.Props> extends t.Type<ClosedOf<R, O>> {
  readonly _tag: 'ClosedType' = 'ClosedType'
  readonly required: R
  readonly optional: O
  constructor(name: string, required: R, optional: O) {
    const codecs = new Map([...Object.entries(required), ...Object.entries(optional)])
    super(
      name,
      (value): value is ClosedOf<R, O> => validateClosed(name, codecs, required, value, [])._tag === 'Right',
      (value, context) => validateClosed(name, codecs, required, value, context),
      t.identity,
    )
    this.required = required
    this.optional = optional
  }
}

export function closed<R extends t.Props, O extends t.Props>(
  name: string,
  required: R,
  optional: O,
): ClosedType<R, O> {
  return new ClosedType(name, required, optional)
}

function validateClosed<A>(
  name: string,
  codecs: ReadonlyMap<string, t.Mixed>,
  required: t.Props,
  value: unknown,
  context: t.Context,
): t.Validation<A> {
  if (!t.UnknownRecord.is(value)) return t.failure(value, context, `expected an object (${name})`)
  const errors: t.Errors = []
  for (const key of Object.keys(value)) {
    if (!codecs.has(key)) {
      const known = [...codecs.keys()].join(', ')
      errors.push({
        value: value[key],
        context: at(context, key),
        message: `unknown property; known: ${known}`,
      })
    }
  }
  for (const [key, codec] of codecs) {
    const present = Object.hasOwn(value, key)
    if (!present && !Object.hasOwn(required, key)) continue
    const inner = t.appendContext(context, key, codec, value[key])
    if (!present) errors.push({ value: undefined, context: inner, message: 'is required' })
    else errors.push(...errorsOf(codec.validate(value[key], inner)))
  }
  // Every declared property was validated and no other is there, which is what the type says.
  return errors.length > 0 ? t.failures(errors) : t.success(value as A)
}

/** An object of exactly one of several shapes; which one shows by the key that only this shape has. */
export class KeyedType<M extends t.Props> extends t.Type<t.TypeOf<M[keyof M]>> {
  readonly _tag: 'KeyedType' = 'KeyedType'
  readonly members: M
  constructor(name: string, members: M) {
    super(
      name,
      (value): value is t.TypeOf<M[keyof M]> => validateKeyed(name, members, value, [])._tag === 'Right',
      (value, context) => validateKeyed(name, members, value, context),
      t.identity,
    )
    this.members = members
  }
}

export function keyed<M extends t.Props>(name: string, members: M): KeyedType<M> {
  return new KeyedType(name, members)
}

function validateKeyed<A>(
  name: string,
  members: t.Props,
  value: unknown,
  context: t.Context,
): t.Validation<A> {
  if (!t.UnknownRecord.is(value)) return t.failure(value, context, `expected an object (${name})`)
  const found = Object.keys(members).filter((key) => Object.hasOwn(value, key))
  const codec = found.length === 1 && found[0] !== undefined ? members[found[0]] : undefined
  if (codec === undefined) {
    const got = found.length === 0 ? '' : `, not ${found.join(' and ')} together`
    return t.failure(value, context, `needs exactly one of ${Object.keys(members).join(', ')}${got}`)
  }
  return codec.validate(value, context)
}

/** A word, or an object that says more; faults are told of the one that it looks like. */
export class WordOrType<W extends t.Mixed, C extends t.Mixed> extends t.Type<t.TypeOf<W> | t.TypeOf<C>> {
  readonly _tag: 'WordOrType' = 'WordOrType'
  readonly word: W
  readonly object: C
  constructor(word: W, object: C) {
    super(
      `${word.name} or ${object.name}`,
      (value): value is t.TypeOf<W> | t.TypeOf<C> => word.is(value) || object.is(value),
      (value, context) => (t.UnknownRecord.is(value) ? object : word).validate(value, context),
      t.identity,
    )
    this.word = word
    this.object = object
  }
}

/** A string that matches; `meaning` completes "expected …". */
export class PatternType extends t.Type<string> {
  readonly _tag: 'PatternType' = 'PatternType'
  readonly pattern: RegExp
  constructor(meaning: string, pattern: RegExp) {
    const is = (value: unknown): value is string => typeof value === 'string' && pattern.test(value)
    super(
      meaning,
      is,
      (value, context) =>
        is(value) ? t.success(value) : t.failure(value, context, `expected ${meaning} (${pattern.source})`),
      t.identity,
    )
    this.pattern = pattern
  }
}

export function pattern(meaning: string, regex: RegExp): PatternType {
  return new PatternType(meaning, regex)
}

export type JsonScalar = string | number | boolean | null

function isScalar(value: unknown): value is JsonScalar {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
}

export class ScalarType extends t.Type<JsonScalar> {
  readonly _tag: 'ScalarType' = 'ScalarType'
  constructor() {
    super(
      'Scalar',
      isScalar,
      (value, context) =>
        isScalar(value)
          ? t.success(value)
          : t.failure(value, context, 'expected a string, a number, true, false or null'),
      t.identity,
    )
  }
}

export const scalar = new ScalarType()

export function errorsOf(validation: t.Validation<unknown>): t.Errors {
  return validation._tag === 'Left' ? validation.left : []
}

/** io-ts errors as paths and messages, in the order of the document. */
export function problemsOf(errors: t.Errors): readonly Problem[] {
  return errors.map((error) => ({
    path: error.context.reduce((path, entry) => joinPath(path, entry.key), ''),
    message: error.message ?? `expected ${error.context.at(-1)?.type.name ?? 'something else'}`,
  }))
}

export function joinPath(path: string, key: string | number): string {
  if (key === '') return path
  if (/^\d+$/.test(String(key))) return `${path}[${key}]`
  return path === '' ? String(key) : `${path}.${key}`
}

function at(context: t.Context, key: string): t.Context {
  return t.appendContext(context, key, t.unknown)
}
