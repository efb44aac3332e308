import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import { compileEvent, type Draft, type EventCompiler, type EventMaker } from './event-template.ts'
import type { RowContext, RowRefusal, Scope } from './expression.ts'
import type { Mapping, PreludeEvent } from './mapping-codec.ts'
import type { Problem } from './shapes.ts'
import { isTimeZone, parseRfc3339, rfc3339 } from './time.ts'

/** An event as it is sent: CloudEvents JSON, encoded once because its size decides where a batch ends. */
export interface OutgoingEvent {
  readonly id: string
  readonly json: string
}

interface InputRow {
  /** Counts data rows from 1. */
  readonly row: number
  /** Physical line where it begins, from 1. */
  readonly line: number
  /** In the order of the mapper's columns. */
  readonly cells: readonly string[]
}

export type MappedRow = Either<RowRefusal, readonly OutgoingEvent[]>

/**
 * Rows to events, by one mapping. It remembers what it has seen (for `{#occurrence}` and `once`), so that every run over
 * a file starts with a new mapper and hands in every row from the first.
 */
export interface Mapper {
  /** Sent once, before the first row. */
  readonly prelude: readonly OutgoingEvent[]
  map(row: InputRow): MappedRow
}

/** A mapping that was checked as a whole. */
export interface CompiledMapping {
  readonly mapping: Mapping
  readonly columns: readonly string[]
  createMapper(): Mapper
}

export function compileMapping(mapping: Mapping): Either<readonly Problem[], CompiledMapping> {
  const columns = [...mapping.input.columns, ...(mapping.input.optional ?? [])]
  const scope = scopeOf(mapping, columns)
  checkInput(mapping, columns, scope)
  const prelude = (mapping.prelude ?? []).map((event, i) => compilePrelude(mapping, scope, event, i))
  const events = mapping.events.map((event, i) => compileEvent(mapping, scope, event, i))
  if (mapping.events.length === 0 && prelude.length === 0) {
    scope.problems.push({ path: 'events', message: 'is empty: nothing would be sent' })
  }
  if (scope.problems.length > 0) return E.left(scope.problems)
  return E.right({ mapping, columns, createMapper: () => createMapper(mapping, prelude, events) })
}

function scopeOf(mapping: Mapping, columns: readonly string[]): Scope {
  const blanks = new Set(mapping.input.blanks)
  return {
    columns: new Map(columns.map((column, i) => [column, i])),
    lookups: new Map(
      Object.entries(mapping.lookups ?? {}).map(([name, table]) => [
        name,
        { entries: new Map(Object.entries(table.entries)), fallback: table.default },
      ]),
    ),
    zone: isTimeZone(mapping.input.zone) ? mapping.input.zone : 'UTC',
    blank: mapping.input.blank ?? 'omit',
    isBlank: (text) => text.trim() === '' || blanks.has(text),
    problems: [],
  }
}

function checkInput(mapping: Mapping, columns: readonly string[], scope: Scope): void {
  const { input } = mapping
  if (!isTimeZone(input.zone)) {
    scope.problems.push({ path: 'input.zone', message: `there is no time zone ${input.zone}` })
  }
  if (input.columns.length === 0) scope.problems.push({ path: 'input.columns', message: 'is empty' })
  if (new Set(columns).size < columns.length) {
    scope.problems.push({ path: 'input.columns', message: 'names a column twice' })
  }
  for (const list of ['personal', 'unguessable'] as const) {
    for (const [i, column] of (input[list] ?? []).entries()) {
      if (scope.columns.has(column)) continue
      scope.problems.push({
        path: `input.${list}[${i}]`,
        message: `column ${column} is not among input.columns or input.optional`,
      })
    }
  }
}

function compilePrelude(mapping: Mapping, scope: Scope, event: PreludeEvent, index: number): OutgoingEvent {
  const instant = event.time === undefined ? undefined : parseRfc3339(event.time)
  if (event.time !== undefined && instant === undefined) {
    scope.problems.push({ path: `prelude[${index}].time`, message: 'is not an RFC 3339 time' })
  }
  if (event.id === '') scope.problems.push({ path: `prelude[${index}].id`, message: 'is empty' })
  const json = JSON.stringify({
    specversion: '1.0',
    id: event.id,
    source: event.source ?? mapping.source,
    type: event.type,
    time: instant === undefined ? undefined : rfc3339(instant),
    subject: event.subject,
    schema: event.schema,
    data: event.data,
  })
  return { id: event.id, json }
}

function createMapper(
  mapping: Mapping,
  prelude: readonly OutgoingEvent[],
  compilers: readonly EventCompiler[],
): Mapper {
  const makers = compilers.map((compiler) => compiler())
  const trim = mapping.input.trim ?? false
  return {
    prelude,
    map: (input) => {
      const cells = trim ? input.cells.map((cell) => cell.trim()) : input.cells
      const row: RowContext = { cells, refusal: undefined }
      const drafts = draftsOf(makers, row, input.row)
      // Nothing is counted for a refused row, so that `once` falls to the next row that passes.
      if (row.refusal !== undefined) return E.left(row.refusal)
      return E.right(drafts.map((draft) => draft.finish()))
    },
  }
}

function draftsOf(makers: readonly EventMaker[], row: RowContext, rowNumber: number): readonly Draft[] {
  const drafts: Draft[] = []
  for (const maker of makers) {
    if (maker.onlyElse && drafts.length > 0) continue
    const draft = maker.draft(row, rowNumber)
    if (draft !== undefined) drafts.push(draft)
  }
  return drafts
}
