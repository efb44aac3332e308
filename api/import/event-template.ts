import { catalogue } from '../../engine/events/catalogue.ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { NAMESPACE_PATTERN } from '../../engine/events/identity.ts'
import {
  type CompiledTemplate,
  cellOf,
  compileCondition,
  compileObject,
  compileTemplate,
  compileTime,
  type Evaluator,
  type RowContext,
  refuse,
  type Scope,
} from './expression.ts'
import type { OutgoingEvent } from './mapper.ts'
import { type EventTemplate, isExpression, type Mapping, type ValueNode } from './mapping-codec.ts'
import { createOccurrenceCounter, hashOf, type OccurrenceCounter } from './occurrence.ts'
import { joinPath, scalar } from './shapes.ts'
import { parseTemplate } from './template.ts'
import { parseRfc3339, rfc3339 } from './time.ts'

/** One run's maker of events from one entry of `events`. */
interface EventMaker {
  /** undefined: the row gives no such event. A refusal is left in `row`. */
  draft(row: RowContext, rowNumber: number): Draft | undefined
}

/** An event whose row may still be refused by another one: `finish` counts it and gives it its id. */
interface Draft {
  finish(): OutgoingEvent
}

export type EventCompiler = () => EventMaker

/** 128 random bits take 22 characters in base64; anything shorter could be found by trying. */
const UNGUESSABLE_LENGTH = 22

export function compileEvent(
  mapping: Mapping,
  scope: Scope,
  event: EventTemplate,
  index: number,
): EventCompiler {
  const path = `events[${index}]`
  const when =
    event.when === undefined ? () => true : compileCondition(scope, joinPath(path, 'when'), event.when)
  const once = event.once?.map((column, i) => cellOf(scope, `${path}.once[${i}]`, column))
  const id = compileId(mapping, scope, path, event)
  const parts = compileParts(mapping, scope, path, event)
  const count = mapping.events.length
  return () => {
    const ids = createOccurrenceCounter()
    const firsts = createOccurrenceCounter()
    return {
      draft: (row, rowNumber) => {
        if (!when(row)) return undefined
        const onceHash = once === undefined ? undefined : hashOf(once.map((cell) => cell(row)))
        if (onceHash !== undefined && firsts.seen(onceHash) > 0) return undefined
        const made = id(row)
        const envelope = parts(row)
        // Events of one row and instant keep the document's order.
        const sequence = mapping.sequence === undefined ? undefined : (rowNumber - 1) * count + index + 1
        return {
          finish: () => {
            if (onceHash !== undefined) firsts.count(onceHash)
            return encode(made(ids), sequence, envelope)
          },
        }
      },
    }
  }
}

interface EnvelopeParts {
  readonly source: string
  readonly type: string
  readonly time: unknown
  readonly subject: string | undefined
  readonly schema: number | undefined
  readonly identities: readonly string[] | undefined
  readonly data: unknown
}

function encode(id: string, sequence: number | undefined, parts: EnvelopeParts): OutgoingEvent {
  const { source, type, time, subject, schema, identities, data } = parts
  const json = JSON.stringify({
    specversion: '1.0',
    id,
    source,
    type,
    time,
    subject,
    sequence,
    schema,
    identities,
    data,
  })
  return { id, json }
}

function compileParts(
  mapping: Mapping,
  scope: Scope,
  path: string,
  event: EventTemplate,
): (row: RowContext) => EnvelopeParts {
  const time = compileEventTime(scope, joinPath(path, 'time'), event)
  const subject = compileSubject(mapping, scope, path, event)
  const identities = compileIdentities(scope, path, event)
  const data = compileObject(scope, joinPath(path, 'data'), event.data)
  if (event.schema !== undefined && !(Number.isSafeInteger(event.schema) && event.schema >= 1)) {
    scope.problems.push({ path: joinPath(path, 'schema'), message: 'is not a whole number from 1' })
  }
  return (row) => ({
    source: event.source ?? mapping.source,
    type: event.type,
    time: time(row),
    subject: subject?.text(row, { hash: '', occurrence: 0 }),
    schema: event.schema,
    identities: identities(row),
    data: data(row),
  })
}

function compileEventTime(scope: Scope, path: string, event: EventTemplate): Evaluator {
  const { time } = event
  if (time === undefined) return () => undefined
  if ('constant' in time) {
    const instant = parseRfc3339(time.constant)
    if (instant === undefined) {
      scope.problems.push({ path: joinPath(path, 'constant'), message: 'is not an RFC 3339 time' })
    }
    const text = rfc3339(instant ?? 0)
    return () => text
  }
  // Without a time an event counts as happening when it arrives; that must be asked for, not slip in.
  const parse = compileTime(scope, path, time.column, { ...time, blank: time.blank ?? 'refuse' })
  return (row) => parse(row, (parsed) => rfc3339(parsed.instant))
}

function compileSubject(
  mapping: Mapping,
  scope: Scope,
  path: string,
  event: EventTemplate,
): CompiledTemplate | undefined {
  if (event.subject === undefined) return undefined
  const subjectPath = joinPath(path, 'subject')
  const subject = compileTemplate(scope, subjectPath, event.subject)
  for (const part of subject.parts) {
    if (part.kind === 'hash' || part.kind === 'occurrence') {
      scope.problems.push({ path: subjectPath, message: `{#${part.kind}} belongs to ids only` })
    }
  }
  refusePersonal(mapping, scope, event, subjectPath, subject.columns, new Set())
  return subject
}

function compileIdentities(
  scope: Scope,
  path: string,
  event: EventTemplate,
): (row: RowContext) => readonly string[] | undefined {
  if (event.identities === undefined) return () => undefined
  const stated = event.identities.map((identity, i) => {
    const inner = `${path}.identities[${i}]`
    if (!NAMESPACE_PATTERN.test(identity.namespace)) {
      scope.problems.push({
        path: `${inner}.namespace`,
        message: `is not a namespace (${NAMESPACE_PATTERN.source})`,
      })
    }
    const node: ValueNode =
      'column' in identity ? { $column: identity.column } : { $template: identity.template }
    const value = compileObject({ ...scope, blank: 'omit' }, inner, { value: node })
    return { namespace: identity.namespace, value }
  })
  return (row) =>
    stated.flatMap(({ namespace, value }) => {
      const found = value(row) as { readonly value?: string }
      return found.value === undefined ? [] : [`${namespace}:${found.value}`]
    })
}

/** First what the row says (and may be refused for), then, once the row has passed, the counting. */
function compileId(
  mapping: Mapping,
  scope: Scope,
  path: string,
  event: EventTemplate,
): (row: RowContext) => (counter: OccurrenceCounter) => string {
  const idPath = joinPath(path, 'id')
  const template = compileTemplate(scope, `${idPath}.template`, event.id.template)
  const hashed = event.id.hash?.map((column, i) => cellOf(scope, `${idPath}.hash[${i}]`, column))
  checkId(mapping, scope, event, idPath, template)
  const strong = (event.id.hash ?? []).filter((column) => mapping.input.unguessable?.includes(column))
  const strongCells = strong.map((column) => cellOf(scope, idPath, column))
  return (row) => {
    if (strongCells.some((cell) => cell(row).trim().length < UNGUESSABLE_LENGTH)) {
      refuse(
        row,
        'guessable',
        `column ${strong.join(', ')} is too short to be unguessable, as an id needs it`,
      )
    }
    const hash = hashed === undefined ? '' : hashOf(hashed.map((cell) => cell(row)))
    const counted = hash === '' ? hashOf([template.text(row, { hash, occurrence: 0 })]) : hash
    return (counter) => {
      const id = template.text(row, { hash, occurrence: counter.seen(counted) })
      counter.count(counted)
      return id
    }
  }
}

function checkId(
  mapping: Mapping,
  scope: Scope,
  event: EventTemplate,
  path: string,
  template: CompiledTemplate,
): void {
  const usesHash = template.parts.some((part) => part.kind === 'hash')
  const hash = event.id.hash ?? []
  if (usesHash && hash.length === 0) {
    scope.problems.push({ path, message: 'uses {#hash} but lists no columns in hash' })
  }
  if (!usesHash && event.id.hash !== undefined) {
    scope.problems.push({ path, message: 'lists columns in hash but has no {#hash} in its template' })
  }
  if (template.parts.every((part) => part.kind === 'text')) {
    scope.problems.push({ path: `${path}.template`, message: 'is the same for every row' })
  }
  refusePersonal(mapping, scope, event, `${path}.template`, template.columns, new Set())
  refusePersonal(mapping, scope, event, `${path}.hash`, hash, new Set(mapping.input.unguessable))
}

/** Ids and stream names stay in the log for ever in clear, and a hash of a short value is found by trying. */
function refusePersonal(
  mapping: Mapping,
  scope: Scope,
  event: EventTemplate,
  path: string,
  columns: readonly string[],
  allowed: ReadonlySet<string>,
): void {
  const personal = personalColumns(mapping, event)
  for (const column of columns) {
    if (personal.has(column) && !allowed.has(column)) {
      scope.problems.push({
        path,
        message: `column ${column} identifies someone and must not be in an id or stream name, hashed or not`,
      })
    }
  }
}

function personalColumns(mapping: Mapping, event: EventTemplate): ReadonlySet<string> {
  const definitions: Readonly<Record<string, EventDefinition>> = catalogue
  const definition = Object.hasOwn(definitions, event.type) ? definitions[event.type] : undefined
  return new Set([
    ...(mapping.input.personal ?? []),
    ...(event.identities ?? []).flatMap((identity) =>
      'column' in identity ? [identity.column] : templateColumns(identity.template),
    ),
    ...(definition?.identities ?? []).flatMap(([, at]) => columnsAt(event.data, at.split('.'))),
  ])
}

function columnsAt(node: ValueNode | undefined, path: readonly string[]): readonly string[] {
  const [key, ...rest] = path
  if (node === undefined || key === undefined) return node === undefined ? [] : columnsIn(node)
  if (scalar.is(node)) return []
  if (Array.isArray(node)) return node.flatMap((member: ValueNode) => columnsAt(member, rest))
  const object = node as Readonly<Record<string, ValueNode>>
  return isExpression(object) ? columnsIn(object) : columnsAt(object[key], rest)
}

function columnsIn(node: ValueNode): readonly string[] {
  if (scalar.is(node)) return []
  if (Array.isArray(node)) return node.flatMap((member: ValueNode) => columnsIn(member))
  return Object.entries(node).flatMap(([key, member]) => {
    if (['$column', '$date', '$time', 'column'].includes(key) && typeof member === 'string') return [member]
    if (key === '$template' && typeof member === 'string') return templateColumns(member)
    return key === '$constant' || key === 'when' ? [] : columnsIn(member as ValueNode)
  })
}

function templateColumns(template: string): readonly string[] {
  const parsed = parseTemplate(template)
  return parsed._tag === 'Template'
    ? parsed.parts.flatMap((part) => (part.kind === 'column' ? [part.column] : []))
    : []
}
