import * as t from 'io-ts'
import { isDay, isInstantText, isTimeZone } from './instant.ts'
import { COUNTRIES, CURRENCIES } from './iso-codes.ts'
import { isMoney } from './money.ts'

/** The codecs that the catalogue's fields are made of. None of them changes a value. */

export type FieldKind =
  | 'text'
  | 'id'
  | 'amount'
  | 'finite'
  | 'integer'
  | 'instant'
  | 'day'
  | 'time_zone'
  | 'currency'
  | 'country'

/** A codec of a single value that carries its own JSON Schema. `kind` tells tests how to make values of it. */
export class FieldType<A extends string | number> extends t.Type<A, A, unknown> {
  readonly _tag: 'FieldType' = 'FieldType'
  readonly kind: FieldKind
  readonly schema: Readonly<Record<string, unknown>>
  constructor(
    kind: FieldKind,
    name: string,
    is: (value: unknown) => value is A,
    schema: Readonly<Record<string, unknown>>,
  ) {
    super(
      name,
      is,
      (value, context) => (is(value) ? t.success(value) : t.failure(value, context)),
      t.identity,
    )
    this.kind = kind
    this.schema = schema
  }
}

/** MessagePack and SQLite would silently change a string with a lone surrogate, so none is taken. */
function isText(value: unknown, minLength: number, maxLength: number): value is string {
  return (
    typeof value === 'string' &&
    value.length >= minLength &&
    value.length <= maxLength &&
    value.isWellFormed()
  )
}

function textUpTo(maxLength: number): FieldType<string> {
  return new FieldType(
    'text',
    `string of at most ${maxLength} characters`,
    (value): value is string => isText(value, 0, maxLength),
    { type: 'string', maxLength },
  )
}

/** Names, labels, open vocabularies, addresses of one line. */
export const text = textUpTo(2_048)
/** Notes, descriptions, bodies. */
export const longText = textUpTo(262_144)

const FIRST_PRINTABLE = 0x20
const DELETE = 0x7f

function isId(value: unknown): value is string {
  if (!isText(value, 1, 256)) return false
  let blank = true
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < FIRST_PRINTABLE || code === DELETE) return false
    if (code !== FIRST_PRINTABLE) blank = false
  }
  return !blank
}

/** An id in the sender's system; it may become part of a stream's name. */
export const id = new FieldType(
  'id',
  'id of 1 to 256 characters, not blank, without control characters',
  isId,
  {
    type: 'string',
    minLength: 1,
    maxLength: 256,
  },
)

export const finite = new FieldType(
  'finite',
  'finite number',
  (value): value is number => Number.isFinite(value),
  { type: 'number' },
)

export const integer = new FieldType(
  'integer',
  'safe integer',
  (value): value is number => Number.isSafeInteger(value),
  { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
)

/** An id that clients also send as a number. */
export const looseId = t.union([id, integer])

/** An amount, price, rate or quantity as sent: see `parseMoney`. */
export const amount = new FieldType<number | string>('amount', 'number or decimal string', isMoney, {
  oneOf: [{ type: 'number' }, { type: 'string', pattern: '^[+-]?(\\d+(\\.\\d*)?|\\.\\d+)$', maxLength: 64 }],
})

/** RFC 3339, or a local time or day that is read in the source's time zone. */
export const instant = new FieldType(
  'instant',
  'RFC 3339 instant, local time or day',
  (value): value is string => typeof value === 'string' && isInstantText(value),
  { type: 'string', examples: ['2026-03-01T09:30:00Z', '2026-03-01 09:30', '2026-03-01'] },
)

export const day = new FieldType(
  'day',
  'day YYYY-MM-DD',
  (value): value is string => typeof value === 'string' && isDay(value),
  { type: 'string', format: 'date' },
)

export const timeZone = new FieldType(
  'time_zone',
  'IANA time zone',
  (value): value is string => typeof value === 'string' && isTimeZone(value),
  { type: 'string', examples: ['Europe/London'] },
)

export const currencyCode = new FieldType(
  'currency',
  'ISO 4217 currency code',
  (value): value is string => typeof value === 'string' && CURRENCIES.has(value),
  { type: 'string', pattern: '^[A-Z]{3}$' },
)

export const countryCode = new FieldType(
  'country',
  'ISO 3166-1 alpha-2 country code',
  (value): value is string => typeof value === 'string' && COUNTRIES.has(value),
  { type: 'string', pattern: '^[A-Z]{2}$' },
)

/** `null` removes the field. */
export function orNull<C extends t.Mixed>(codec: C): t.UnionC<[C, t.NullC]> {
  return t.union([codec, t.null])
}

/** `null` removes the field, `''` stores a blank. */
export function orBlank<C extends t.Mixed>(codec: C): t.UnionC<[C, t.NullC, t.LiteralC<''>]> {
  return t.union([codec, t.null, t.literal('')])
}

/** An object with required and optional properties that keeps those it doesn't know. */
export function shape<R extends t.Props, O extends t.Props>(
  required: R,
  optional: O,
): t.IntersectionC<[t.TypeC<R>, t.PartialC<O>]> {
  return t.intersection([t.type(required), t.partial(optional)])
}
