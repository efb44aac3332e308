import * as E from 'fp-ts/lib/Either.js'
import { catalogue } from '../engine/events/catalogue.ts'
import type { ChoiceRule } from '../engine/reducers/named.ts'
import type { ColumnType } from '../engine/store/table.ts'
import { parseRule } from './survivorship.ts'
import { isRecord, own } from './values.ts'

/** What `field.defined` and `object.defined` say, read strictly: whoever folds leaves out what is refused here. */

/** Types that a defined field may have. */
export const FIELD_TYPES = ['text', 'integer', 'real', 'boolean', 'instant', 'day', 'money', 'json'] as const
export type FieldType = (typeof FIELD_TYPES)[number] & ColumnType

/** Views that fields may be defined for; every other name is that of an object. */
export const DEFINABLE_VIEWS = [
  'profile',
  'account',
  'contact',
  'lead',
  'opportunity',
  'case',
  'campaign',
] as const

export const MAX_FIELDS = 100
export const MAX_FIELDS_IN_ALL = 400

/** The event that says so. */
export interface DefinedBy {
  readonly id: string
  readonly source: string
  readonly position: number
  readonly time: number
  readonly by?: string | undefined
}

/** What a definition says of a field, wherever it stands. */
export interface StatedField {
  /** The property's name in events, and the field's in rules and decisions. */
  readonly name: string
  readonly type: FieldType
  /** One sentence for the documentation. */
  readonly about: string
  readonly department?: string | undefined
  readonly rule: ChoiceRule
  readonly sources?: readonly string[] | undefined
  readonly values?: readonly (string | boolean)[] | undefined
  /** Texts that it may hold; absent: any. */
  readonly options?: readonly string[] | undefined
}

export interface DefinedField extends StatedField {
  /** A view, or a defined object. */
  readonly object: string
  /** Of the `field.defined` event; absent where the object's own definition has the field. */
  readonly fieldId?: string | undefined
  readonly definedBy: DefinedBy
}

export interface DefinedObject {
  readonly object: string
  readonly label: string
  readonly about: string
  readonly department?: string | undefined
  /** By name; those of `field.defined` are among them. */
  readonly fields: readonly DefinedField[]
  readonly definedBy: DefinedBy
}

export interface StatedObject {
  readonly object: string
  readonly label: string
  readonly about: string
  readonly department?: string | undefined
  /** In the order in which they are stated, each name once. */
  readonly fields: readonly StatedField[]
}

/** Why a definition defines nothing, or must not be published. */
export interface Problem {
  readonly _tag:
    | 'IllFormed'
    | 'UnknownObject'
    | 'UnknownField'
    | 'Name'
    | 'Type'
    | 'Rule'
    | 'Options'
    | 'Taken'
    | 'TooMany'
    | 'Narrower'
  /** Where in the event's data, such as `fields.2.type`; '' for all of it. */
  readonly path: string
  readonly message: string
}

const NAME = /^[a-z][a-z0-9_]{0,62}$/

/** Names that lists, rows or tables use for something of their own. */
const RESERVED: ReadonlySet<string> = new Set([
  ...['q', 'sort', 'limit', 'cursor', 'after', 'before', 'explain', 'by', 'wait', 'from', 'to', 'at'],
  ...['as_of', 'asof', 'dry_run', 'format', 'fields', 'key', 'part', 'id', 'rank', 'rowid', 'oid'],
  ...['decisions', 'constructor', 'identities', 'conflicts', 'position'],
])

/** undefined: it may be a field's name, as far as names go. */
function nameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string' || !NAME.test(name))
    return 'is a lower-case letter, then up to 62 of a-z, 0-9 and _'
  if (name.includes('__')) return 'holds no __'
  return RESERVED.has(name) ? `${name} means something else in lists` : undefined
}

/** Views that no object may be called like, whether or not their names are nouns of events too. */
const VIEWS: ReadonlySet<string> = new Set([
  ...DEFINABLE_VIEWS,
  ...['pipeline', 'customer_orders', 'daily_events', 'active_people', 'revenue', 'quarantine', 'session'],
  ...['campaign_member', 'hourly_activity', 'conflict', 'record_conflict', 'custom_record', 'traits'],
])

/** Characters of a column's name, which for an object's field is made of both names. */
const MAX_COLUMN_NAME = 63

/** undefined: the field's name isn't too long for that object. */
export function lengthProblem(object: string, field: string): string | undefined {
  const most = MAX_COLUMN_NAME - `${object}__`.length
  if (field.length <= most) return undefined
  return `field has at most ${Math.max(most, 0)} characters: with ${object}__ before it, it names a column`
}

/** What events of the catalogue are about. */
const NOUNS: ReadonlySet<string> = new Set(
  Object.entries(catalogue).flatMap(([type, { category }]) => [
    category,
    ...(type.includes('.') ? [type.slice(0, type.indexOf('.'))] : []),
  ]),
)

/** undefined: it may be an object's name. */
export function objectNameProblem(name: unknown): string | undefined {
  const problem = nameProblem(name)
  if (problem !== undefined || typeof name !== 'string') return problem
  if (VIEWS.has(name)) return `${name} is a view`
  return NOUNS.has(name) ? `${name} has events of the catalogue` : undefined
}

type Document = Readonly<Record<string, unknown>>

/** What `field.defined`, or one of an object's `fields`, says of a field; problems have paths behind `at`. */
export function parseField(said: Document, at = ''): E.Either<readonly Problem[], StatedField> {
  const name = own(said, 'field')
  const problems: Problem[] = []
  const refuse = (_tag: Problem['_tag'], path: string, message: string): void => {
    problems.push({ _tag, path: `${at}${path}`, message })
  }
  const misnamed = nameProblem(name)
  if (misnamed !== undefined) refuse('Name', 'field', `field ${misnamed}`)
  const type = FIELD_TYPES.find((each) => each === own(said, 'type'))
  if (type === undefined) refuse('Type', 'type', `the types are ${FIELD_TYPES.join(', ')}`)
  const options = optionsIn(said)
  if (options === 'bad' || (options !== undefined && type !== undefined && type !== 'text')) {
    refuse('Options', 'options', 'options is a list of different texts, of a field of the type text')
  }
  const spec = { type: type ?? 'text', rule: 'latest', isRulable: true, isResolvable: true }
  const rule = parseRule(said, own(said, 'rule') ?? 'latest', spec)
  if (E.isLeft(rule)) refuse('Rule', 'rule', rule.left.message)
  if (E.isLeft(rule) || type === undefined || typeof name !== 'string' || problems.length > 0)
    return E.left(problems)
  return E.right({
    name,
    type,
    about: textIn(said, 'description') ?? textIn(said, 'name') ?? `Defined field ${name}.`,
    department: textIn(said, 'department'),
    rule: rule.right.rule ?? 'latest',
    sources: rule.right.sources,
    values: rule.right.values,
    options: options === 'bad' ? undefined : options,
  })
}

const MAX_OPTIONS = 1_000

function optionsIn(said: Document): readonly string[] | 'bad' | undefined {
  const stated = own(said, 'options')
  if (stated === undefined || stated === null) return undefined
  if (!Array.isArray(stated) || stated.length === 0 || stated.length > MAX_OPTIONS) return 'bad'
  const texts = stated.filter((each): each is string => typeof each === 'string' && each !== '')
  return texts.length === stated.length && new Set(texts).size === texts.length ? texts : 'bad'
}

export function textIn(said: Document, name: string): string | undefined {
  const stated = own(said, name)
  return typeof stated === 'string' && stated.trim() !== '' ? stated : undefined
}

/** What `object.defined` says: as far as it makes sense, and all that doesn't. undefined: it defines nothing. */
export function parseObject(said: Document): {
  readonly stated: StatedObject | undefined
  readonly problems: readonly Problem[]
} {
  const object = own(said, 'object')
  const misnamed = objectNameProblem(object)
  const problems: Problem[] = []
  if (misnamed !== undefined) problems.push({ _tag: 'Name', path: 'object', message: `object ${misnamed}` })
  const listed = own(said, 'fields') ?? []
  if (!Array.isArray(listed)) problems.push(ill('fields', 'fields is a list'))
  const fields = new Map<string, StatedField>()
  for (const [i, each] of (Array.isArray(listed) ? listed : []).entries()) {
    const at = `fields.${i}.`
    const parsed = isRecord(each) ? parseField(each, at) : E.left([ill(at.slice(0, -1), 'must be an object')])
    if (E.isLeft(parsed)) problems.push(...parsed.left)
    else {
      const { name } = parsed.right
      const tooLong = typeof object === 'string' ? lengthProblem(object, name) : undefined
      if (tooLong !== undefined) problems.push({ _tag: 'Name', path: `${at}field`, message: tooLong })
      else if (fields.has(name))
        problems.push({ _tag: 'Taken', path: `${at}field`, message: `${name} stands there twice` })
      else fields.set(name, parsed.right)
    }
  }
  if (misnamed !== undefined || typeof object !== 'string') return { stated: undefined, problems }
  const stated: StatedObject = {
    object,
    label: textIn(said, 'label') ?? textIn(said, 'name') ?? object,
    about: textIn(said, 'description') ?? `Defined object ${object}.`,
    department: textIn(said, 'department'),
    fields: [...fields.values()],
  }
  return { stated, problems }
}

export function ill(path: string, message: string): Problem {
  return { _tag: 'IllFormed', path, message }
}
