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
import type { EventTemplate, Mapping, ValueNode } from './mapping-codec.ts'
import { createOccurrenceCounter, hashOf, type OccurrenceCounter } from './occurrence.ts'
import { refusePersonal } from './personal-columns.ts'
import { joinPath } from './shapes.ts'
import { parseRfc3339, rfc3339 } from './time.ts'

/** One run's maker of events from one entry of `events`. */
export interface EventMaker {
  /** Only for rows that gave no event of an earlier entry. */
  readonly onlyElse: boolean
  /** undefined: the row gives no such event. A refusal is left in `row`. */
  draft(row: RowContext, rowNumber: number): Draft | undefined
}

/** An event whose row may still be refused by another one: `finish` counts it and gives it its id. */
export interface Draft {
  finish(): OutgoingEvent
}

export type EventCompiler = () => EventMaker

/** 128 random bits take 22 characters in base64; anything shorter could be found by trying. */
const UNGUESSABLE_LENGTH = 22

export function compileEvent(
  mapping: Mapping,
  scope: Scope,
  entry: EventTemplate,
  index: number,
): EventCompiler {
  const path = `events[${index}]`
  const event =
    mapping.common === undefined ? entry : { ...entry, data: { ...mapping.common, ...entry.data } }
  const when =
    event.when === undefined ? () => true : compileCondition(scope, joinPath(path, 'when'), event.when)
  const once = event.once?.map((column, i) => cellOf(scope, `${path}.once[${i}]`, column))
  const id = compileId(mapping, scope, path, event)
  const parts = compileParts(mapping, scope, path, event)
  const sequence = compileSequence(mapping, scope, index)
  return () => {
    const ids = createOccurrenceCounter()
    const firsts = createOccurrenceCounter()
    return {
      onlyElse: event.else === true,
      draft: (row, rowNumber) => {
        if (!when(row)) return undefined
        const onceHash = once === undefined ? undefined : hashOf(once.map((cell) => cell(row)))
        if (onceHash !== undefined && firsts.seen(onceHash) > 0) return undefined
        const made = id(row)
        const envelope = parts(row)
        const place = sequence(row, rowNumber)
        return {
          finish: () => {
            if (onceHash !== undefined) firsts.count(onceHash)
            return encode(made(ids), place, envelope)
          },
        }
      },
    }
  }
}

/** Events of one row and instant keep the document's order. */
function compileSequence(
  mapping: Mapping,
  scope: Scope,
  index: number,
): (row: RowContext, rowNumber: number) => number | undefined {
  const { sequence, events } = mapping
  if (sequence === undefined) return () => undefined
  if (sequence === 'row') return (_row, rowNumber) => (rowNumber - 1) * events.length + index + 1
  const cell = cellOf(scope, 'sequence.column', sequence.column)
  return (row) => {
    const text = cell(row).trim()
    const place = /^\d{1,15}$/.test(text) ? Number(text) * events.length + index + 1 : Number.NaN
    if (Number.isSafeInteger(place)) return place
    const message = `column ${sequence.column} is not a whole number from 0 that can order events`
    return refuse(row, 'not_an_integer', message)
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
  const hash = hashColumns(mapping, scope, event)
  const hashed = hash?.map((column, i) => cellOf(scope, `${idPath}.hash[${i}]`, column))
  checkId(mapping, scope, event, idPath, template, hash)
  const strong = (hash ?? []).filter((column) => mapping.input.unguessable?.includes(column))
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

/** `*` stands for all columns that aren't personal. */
function hashColumns(mapping: Mapping, scope: Scope, event: EventTemplate): readonly string[] | undefined {
  const personal = new Set(mapping.input.personal)
  return event.id.hash?.flatMap((column) =>
    column === '*' ? [...scope.columns.keys()].filter((each) => !personal.has(each)) : [column],
  )
}

function checkId(
  mapping: Mapping,
  scope: Scope,
  event: EventTemplate,
  path: string,
  template: CompiledTemplate,
  hash: readonly string[] = [],
): void {
  const usesHash = template.parts.some((part) => part.kind === 'hash')
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
