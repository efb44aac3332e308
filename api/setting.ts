import * as E from 'fp-ts/lib/Either.js'

/** One configuration value: how it is written, what it means, and what stands in its place when it is absent. */
export interface Setting<T> {
  readonly name: string
  readonly type: string
  readonly unit: string
  readonly fallback: T
  /** The default as the table shows it. */
  readonly shown: string
  readonly about: string
  /** Its value is never repeated in messages. */
  readonly secret: boolean
  parse(text: string): E.Either<string, T>
}

interface Text {
  readonly about: string
  readonly pattern?: RegExp | undefined
  /** What the pattern asks for, in words: follows "must be". */
  readonly form?: string | undefined
}

export function text(name: string, fallback: string, options: Text): Setting<string> {
  const base = { name, type: 'text', unit: '', about: options.about, secret: false }
  return { ...base, fallback, shown: `\`${fallback}\``, parse: (value) => matching(value, options) }
}

export function optionalText(
  name: string,
  shown: string,
  options: Text & { readonly secret?: boolean | undefined },
): Setting<string | undefined> {
  const secret = options.secret ?? false
  const base = { name, type: secret ? 'secret' : 'text', unit: '', about: options.about, secret }
  return { ...base, fallback: undefined, shown, parse: (value) => matching(value, options) }
}

/** A text with rules of its own. */
export function parsedText(
  name: string,
  fallback: string,
  options: Pick<Setting<string>, 'about' | 'parse' | 'secret'>,
): Setting<string> {
  const type = options.secret ? 'secret' : 'text'
  return { ...options, name, type, unit: '', fallback, shown: `\`${fallback}\`` }
}

function matching(value: string, options: Text): E.Either<string, string> {
  if (options.pattern === undefined || options.pattern.test(value)) return E.right(value)
  return E.left(`must be ${options.form ?? `of the form ${options.pattern.source}`}`)
}

export function integer(
  name: string,
  fallback: number,
  options: { readonly about: string; readonly unit: string; readonly min: number; readonly max: number },
): Setting<number> {
  const { about, unit, min, max } = options
  return {
    name,
    type: 'integer',
    unit,
    fallback,
    shown: String(fallback),
    about,
    secret: false,
    parse(value) {
      const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
      if (number >= min && number <= max) return E.right(number)
      return E.left(`must be a whole number from ${min} to ${max}, written in digits`)
    },
  }
}

export function choice<const T extends string>(
  name: string,
  fallback: NoInfer<T>,
  options: { readonly about: string; readonly values: readonly T[] },
): Setting<T> {
  const type = options.values.join(' or ')
  const base = {
    name,
    type,
    unit: '',
    fallback,
    shown: `\`${fallback}\``,
    about: options.about,
    secret: false,
  }
  return {
    ...base,
    parse(value) {
      const found = options.values.find((candidate) => candidate === value)
      return found === undefined ? E.left(`must be one of ${options.values.join(', ')}`) : E.right(found)
    },
  }
}

export function list(
  name: string,
  options: { readonly about: string; readonly pattern: RegExp; readonly form: string },
): Setting<readonly string[]> {
  const base = { name, type: 'list', unit: 'separated by commas', shown: 'none', about: options.about }
  return {
    ...base,
    fallback: [],
    secret: false,
    parse(value) {
      const entries = value.split(',').map((entry) => entry.trim())
      if (entries.every((entry) => options.pattern.test(entry))) return E.right(entries)
      return E.left(`must be a list, separated by commas, of ${options.form}`)
    },
  }
}
