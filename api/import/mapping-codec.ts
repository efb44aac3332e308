import { createHash } from 'node:crypto'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { JsonScalar, Problem } from './shapes.ts'
import { closed, errorsOf, keyed, pattern, problemsOf, scalar, WordOrType } from './shapes.ts'
import { TIME_FORMATS } from './time.ts'

/**
 * The mapping document: how the rows of a file become events. `MAPPING.md` tells it in prose and `mapping.schema.json`
 * is this codec as JSON Schema. What a codec can't say (a column that isn't declared, a personal column in an id)
 * is checked by `compileMapping`.
 */

const columnName = pattern('the name of a column', /^[^\s{}](?:[^{}]*[^\s{}])?$/)
const zone = pattern('a time zone', /^[A-Za-z][A-Za-z0-9_+\-/]{0,63}$/)
const template = pattern('a template', /^[\s\S]{1,1024}$/)
const sourceName = pattern('a source', /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
const eventTypeName = pattern('an event type', /^\S(?:.{0,198}\S)?$/)

const timeFormat = t.keyof(TIME_FORMATS)

/** What a blank cell becomes: no property at all, `null`, or `''`; `refuse` refuses the row. */
const blankChoice = t.keyof({ omit: null, null: null, keep: null, refuse: null })
export type BlankChoice = t.TypeOf<typeof blankChoice>

const reading = t.keyof({
  string: null,
  number: null,
  integer: null,
  decimal: null,
  scientific: null,
  boolean: null,
  json: null,
})
export type Reading = t.TypeOf<typeof reading>

export type Condition =
  | { readonly column: string; readonly equals: string }
  | { readonly column: string; readonly in: readonly string[] }
  | { readonly column: string; readonly prefix: string }
  | { readonly column: string; readonly blank: boolean }
  | { readonly not: Condition }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }

const condition: t.Type<Condition> = t.recursion('Condition', (self) =>
  keyed('Condition', {
    equals: closed('Equals', { column: columnName, equals: t.string }, {}),
    in: closed('In', { column: columnName, in: t.readonlyArray(t.string) }, {}),
    prefix: closed('Prefix', { column: columnName, prefix: t.string }, {}),
    blank: closed('Blank', { column: columnName, blank: t.boolean }, {}),
    not: closed('Not', { not: self }, {}),
    all: closed('All', { all: t.readonlyArray(self) }, {}),
    any: closed('Any', { any: t.readonlyArray(self) }, {}),
  }),
)

const columnNode = closed('$column', { $column: columnName }, { as: reading, blank: blankChoice })
const lookupNode = closed('$lookup', { $lookup: t.string, column: columnName }, { blank: blankChoice })
const templateNode = closed('$template', { $template: template }, { blank: blankChoice })
const dateNode = closed('$date', { $date: columnName, format: timeFormat }, { zone, blank: blankChoice })
const timeNode = closed('$time', { $time: columnName, format: timeFormat }, { zone, blank: blankChoice })
const constantNode = closed('$constant', { $constant: t.unknown }, {})

export type CaseNode = {
  readonly $case: readonly { readonly when: Condition; readonly value: ValueNode }[]
  readonly else?: ValueNode | undefined
}
export type ExpressionNode =
  | t.TypeOf<typeof columnNode>
  | t.TypeOf<typeof lookupNode>
  | t.TypeOf<typeof templateNode>
  | t.TypeOf<typeof dateNode>
  | t.TypeOf<typeof timeNode>
  | t.TypeOf<typeof constantNode>
  | CaseNode
export type ObjectNode = { readonly [key: string]: ValueNode }
export type ValueNode = JsonScalar | readonly ValueNode[] | ExpressionNode | ObjectNode

/**
 * A tree of JSON in which an object with a `$` key is an expression and everything else stands for itself. Dispatches
 * by hand, because a union would report every branch.
 */
export class ValueNodeType extends t.Type<ValueNode> {
  readonly _tag: 'ValueNodeType' = 'ValueNodeType'
  constructor() {
    super(
      'Value',
      (value): value is ValueNode => validateNode(value, [])._tag === 'Right',
      (value, context) => validateNode(value, context),
      t.identity,
    )
  }
}

export const valueNode = new ValueNodeType()

const caseNode: t.Type<CaseNode> = closed(
  '$case',
  { $case: t.readonlyArray(closed('Case', { when: condition, value: valueNode }, {})) },
  { else: valueNode },
)

export const expressionNode = keyed('Expression', {
  $column: columnNode,
  $lookup: lookupNode,
  $template: templateNode,
  $date: dateNode,
  $time: timeNode,
  $constant: constantNode,
  $case: caseNode,
})

/** These keys mean something to JavaScript engines or parsers; no event may carry them. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
const MAX_NODE_DEPTH = 16

function validateNode(value: unknown, context: t.Context): t.Validation<ValueNode> {
  if (context.length > MAX_NODE_DEPTH * 2) return t.failure(value, context, 'is nested too deeply')
  if (scalar.is(value)) return t.success(value)
  if (Array.isArray(value)) return validateMembers(value, Object.entries(value), context)
  if (!t.UnknownRecord.is(value)) return t.failure(value, context, 'expected a JSON value')
  if (isExpression(value)) return expressionNode.validate(value, context)
  return validateMembers(value, Object.entries(value), context)
}

function validateMembers(
  value: unknown,
  members: readonly (readonly [string, unknown])[],
  context: t.Context,
): t.Validation<ValueNode> {
  const errors = members.flatMap(([key, member]) => {
    const inner = t.appendContext(context, key, valueNode, member)
    if (FORBIDDEN_KEYS.has(key))
      return [{ value: member, context: inner, message: 'is a forbidden property name' }]
    return errorsOf(validateNode(member, inner))
  })
  // Every member was validated as a node just now.
  return errors.length > 0 ? t.failures(errors) : t.success(value as ValueNode)
}

export function isExpression(value: Readonly<Record<string, unknown>>): value is ExpressionNode {
  return Object.keys(value).some((key) => key.startsWith('$'))
}

/** The data of an event: an object of values, not an expression. */
export class ObjectNodeType extends t.Type<ObjectNode> {
  readonly _tag: 'ObjectNodeType' = 'ObjectNodeType'
  constructor() {
    super(
      'Data',
      (value): value is ObjectNode => validateObject(value, [])._tag === 'Right',
      (value, context) => validateObject(value, context),
      t.identity,
    )
  }
}

const objectNode = new ObjectNodeType()

function validateObject(value: unknown, context: t.Context): t.Validation<ObjectNode> {
  if (!t.UnknownRecord.is(value) || isExpression(value)) {
    return t.failure(value, context, 'expected an object of values, without $ keys of its own')
  }
  const validated = validateMembers(value, Object.entries(value), context)
  // What was validated member by member is an object of nodes.
  return validated._tag === 'Left' ? validated : t.success(value as ObjectNode)
}

const eventTime = keyed('EventTime', {
  column: closed(
    'TimeColumn',
    { column: columnName, format: timeFormat },
    { zone, blank: t.keyof({ omit: null, refuse: null }) },
  ),
  constant: closed('TimeConstant', { constant: t.string }, {}),
})

const eventId = closed('EventId', { template }, { hash: t.readonlyArray(columnName) })

const identity = keyed('StatedIdentity', {
  column: closed('IdentityColumn', { namespace: t.string, column: columnName }, {}),
  template: closed('IdentityTemplate', { namespace: t.string, template }, {}),
})

const eventTemplate = closed(
  'EventTemplate',
  { type: eventTypeName, id: eventId, data: objectNode },
  {
    when: condition,
    once: t.readonlyArray(columnName),
    else: t.literal(true),
    source: sourceName,
    time: eventTime,
    subject: template,
    schema: t.number,
    identities: t.readonlyArray(identity),
  },
)
export type EventTemplate = t.TypeOf<typeof eventTemplate>

const preludeEvent = closed(
  'PreludeEvent',
  { type: eventTypeName, id: t.string, data: t.readonly(t.UnknownRecord) },
  { source: sourceName, time: t.string, subject: t.string, schema: t.number },
)
export type PreludeEvent = t.TypeOf<typeof preludeEvent>

const lookupTable = closed(
  'LookupTable',
  { entries: t.readonly(t.record(t.string, scalar)) },
  { default: scalar },
)

const input = closed(
  'Input',
  { format: t.keyof({ csv: null, ndjson: null }), columns: t.readonlyArray(columnName), zone },
  {
    optional: t.readonlyArray(columnName),
    delimiter: pattern('one character', /^[\t !#-&(-/:-@[-`{-~]$/),
    trim: t.boolean,
    blanks: t.readonlyArray(t.string),
    blank: blankChoice,
    personal: t.readonlyArray(columnName),
    unguessable: t.readonlyArray(columnName),
  },
)

export const mappingCodec = closed(
  'Mapping',
  {
    mapping: t.literal(1),
    name: pattern('a name in kebab-case', /^[a-z0-9]+(?:-[a-z0-9]+)*$/),
    source: sourceName,
    input,
    events: t.readonlyArray(eventTemplate),
  },
  {
    $schema: t.string,
    about: t.string,
    lookups: t.readonly(t.record(t.string, lookupTable)),
    sequence: new WordOrType(t.literal('row'), closed('SequenceColumn', { column: columnName }, {})),
    common: objectNode,
    prelude: t.readonlyArray(preludeEvent),
  },
)
export type Mapping = t.TypeOf<typeof mappingCodec>

export function decodeMapping(value: unknown): Either<readonly Problem[], Mapping> {
  return E.mapLeft(problemsOf)(mappingCodec.decode(value))
}

/** Parses and validates a document's text; a syntax error is a problem like any other. */
export function parseMapping(text: string): Either<readonly Problem[], Mapping> {
  try {
    return decodeMapping(JSON.parse(text))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return E.left([{ path: '', message: `is not JSON: ${message}` }])
  }
}

/** Names what a mapping does: equal for documents that differ only in layout. 128 bits as hexadecimal. */
export function mappingHash(mapping: Mapping): string {
  return createHash('sha256').update(JSON.stringify(mapping)).digest('hex').slice(0, 32)
}

export function problemText(problem: Problem): string {
  return problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`
}
