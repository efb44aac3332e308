import { readCell } from './cells.ts'
import type {
  BlankChoice,
  CaseNode,
  Condition,
  ExpressionNode,
  ObjectNode,
  ValueNode,
} from './mapping-codec.ts'
import { isExpression } from './mapping-codec.ts'
import type { JsonScalar, Problem } from './shapes.ts'
import { joinPath, scalar } from './shapes.ts'
import { parseTemplate, type TemplatePart } from './template.ts'
import { isTimeZone, rfc3339, type TimeFormat, type TimeParser, timeParser } from './time.ts'

/** Why a row gives no events. The message names columns, never what stands in them: reports are kept and mailed. */
export interface RowRefusal {
  readonly reason: string
  readonly message: string
}

/** One row's evaluation; the first refusal stays. */
export interface RowContext {
  readonly cells: readonly string[]
  refusal: RowRefusal | undefined
}

/** undefined: no value, the property is left out. */
export type Evaluator = (row: RowContext) => unknown
type Test = (row: RowContext) => boolean
type TextRenderer = (row: RowContext) => string

/** What names in a document refer to. Compiling collects problems instead of stopping at the first. */
export interface Scope {
  readonly columns: ReadonlyMap<string, number>
  readonly lookups: ReadonlyMap<string, LookupTable>
  readonly zone: string
  readonly blank: BlankChoice
  readonly isBlank: (text: string) => boolean
  readonly problems: Problem[]
}

interface LookupTable {
  readonly entries: ReadonlyMap<string, JsonScalar>
  readonly fallback: JsonScalar | undefined
}

export function refuse(row: RowContext, reason: string, message: string): undefined {
  row.refusal ??= { reason, message }
  return undefined
}

function compileNode(scope: Scope, path: string, node: ValueNode): Evaluator {
  if (scalar.is(node)) return () => node
  if (isArray(node)) return compileArray(scope, path, node)
  if (isExpression(node)) return compileExpression(scope, path, node)
  return compileObject(scope, path, node)
}

// `Array.isArray` doesn't narrow read-only arrays.
function isArray(node: ValueNode): node is readonly ValueNode[] {
  return Array.isArray(node)
}

function compileArray(scope: Scope, path: string, nodes: readonly ValueNode[]): Evaluator {
  const members = nodes.map((node, i) => compileNode(scope, joinPath(path, i), node))
  return (row) => members.map((member) => member(row)).filter((value) => value !== undefined)
}

export function compileObject(scope: Scope, path: string, node: ObjectNode): Evaluator {
  const members = Object.entries(node).map(
    ([key, member]) => [key, compileNode(scope, joinPath(path, key), member)] as const,
  )
  return (row) => {
    const object: Record<string, unknown> = {}
    for (const [key, member] of members) {
      const value = member(row)
      if (value !== undefined) object[key] = value
    }
    return object
  }
}

function compileExpression(scope: Scope, path: string, node: ExpressionNode): Evaluator {
  if ('$column' in node) return compileColumn(scope, path, node)
  if ('$lookup' in node) return compileLookup(scope, path, node)
  if ('$template' in node) {
    const render = compileTemplate(scope, joinPath(path, '$template'), node.$template)
    const columns = render.columns.map((column) => cellOf(scope, joinPath(path, '$template'), column))
    const blank = whenBlank(node.blank ?? scope.blank, render.columns.join(', '))
    return (row) =>
      columns.some((cell) => scope.isBlank(cell(row))) ? blank(row) : render.text(row, NO_MADE_PARTS)
  }
  if ('$date' in node) {
    const parse = compileTime(scope, path, node.$date, node)
    return (row) => parse(row, (time) => time.date)
  }
  if ('$time' in node) {
    const parse = compileTime(scope, path, node.$time, node)
    return (row) => parse(row, (time) => rfc3339(time.instant))
  }
  if ('$constant' in node) return () => node.$constant
  return compileCase(scope, path, node)
}

function compileColumn(
  scope: Scope,
  path: string,
  node: Extract<ExpressionNode, { $column: string }>,
): Evaluator {
  const cell = cellOf(scope, joinPath(path, '$column'), node.$column)
  const blank = whenBlank(node.blank ?? scope.blank, node.$column)
  const as = node.as ?? 'string'
  return (row) => {
    const text = cell(row)
    if (scope.isBlank(text)) return blank(row)
    const reading = readCell(text, as)
    return reading._tag === 'Value'
      ? reading.value
      : refuse(row, reading.reason, `column ${node.$column} ${reading.message}`)
  }
}

function compileLookup(
  scope: Scope,
  path: string,
  node: Extract<ExpressionNode, { $lookup: string }>,
): Evaluator {
  const cell = cellOf(scope, joinPath(path, 'column'), node.column)
  const blank = whenBlank(node.blank ?? scope.blank, node.column)
  const table = scope.lookups.get(node.$lookup)
  if (table === undefined) {
    scope.problems.push({ path: joinPath(path, '$lookup'), message: `there is no look-up ${node.$lookup}` })
  }
  return (row) => {
    const text = cell(row)
    const entry = table?.entries.get(text)
    if (entry !== undefined) return entry
    if (scope.isBlank(text)) return blank(row)
    if (table?.fallback !== undefined) return table.fallback
    return refuse(
      row,
      'no_lookup_entry',
      `column ${node.column} has a value that look-up ${node.$lookup} lacks`,
    )
  }
}

function compileCase(scope: Scope, path: string, node: CaseNode): Evaluator {
  const cases = node.$case.map((entry, i) => {
    const inner = joinPath(joinPath(path, '$case'), i)
    return {
      test: compileCondition(scope, joinPath(inner, 'when'), entry.when),
      value: compileNode(scope, joinPath(inner, 'value'), entry.value),
    }
  })
  const otherwise =
    node.else === undefined ? undefined : compileNode(scope, joinPath(path, 'else'), node.else)
  return (row) => (cases.find((entry) => entry.test(row))?.value ?? otherwise)?.(row)
}

/** Reads a column as a point in time and hands it to `use`; blank cells go by the node's choice. */
export function compileTime(
  scope: Scope,
  path: string,
  column: string,
  node: {
    readonly format: TimeFormat
    readonly zone?: string | undefined
    readonly blank?: BlankChoice | undefined
  },
): (row: RowContext, use: (time: NonNullable<ReturnType<TimeParser>>) => unknown) => unknown {
  const cell = cellOf(scope, path, column)
  const zone = node.zone ?? scope.zone
  const known = checkZone(scope, joinPath(path, 'zone'), zone)
  const parse = timeParser(node.format, known ? zone : 'UTC')
  const blank = whenBlank(node.blank ?? scope.blank, column)
  return (row, use) => {
    const text = cell(row)
    if (scope.isBlank(text)) return blank(row)
    const time = parse(text.trim())
    return time === undefined
      ? refuse(row, 'not_a_time', `column ${column} is not a time of the form ${node.format}`)
      : use(time)
  }
}

function checkZone(scope: Scope, path: string, zone: string): boolean {
  const known = isTimeZone(zone)
  if (!known) scope.problems.push({ path, message: `there is no time zone ${zone}` })
  return known
}

export function compileCondition(scope: Scope, path: string, condition: Condition): Test {
  if ('not' in condition) {
    const inner = compileCondition(scope, joinPath(path, 'not'), condition.not)
    return (row) => !inner(row)
  }
  if ('all' in condition) {
    const tests = condition.all.map((each, i) =>
      compileCondition(scope, `${joinPath(path, 'all')}[${i}]`, each),
    )
    return (row) => tests.every((test) => test(row))
  }
  if ('any' in condition) {
    const tests = condition.any.map((each, i) =>
      compileCondition(scope, `${joinPath(path, 'any')}[${i}]`, each),
    )
    return (row) => tests.some((test) => test(row))
  }
  const cell = cellOf(scope, joinPath(path, 'column'), condition.column)
  if ('equals' in condition) return (row) => cell(row) === condition.equals
  if ('prefix' in condition) return (row) => cell(row).startsWith(condition.prefix)
  if ('blank' in condition) return (row) => scope.isBlank(cell(row)) === condition.blank
  const values = new Set(condition.in)
  return (row) => values.has(cell(row))
}

/** What the importer makes, as against what the row says. */
interface MadeParts {
  readonly hash: string
  readonly occurrence: number
}

const NO_MADE_PARTS: MadeParts = { hash: '', occurrence: 0 }

export interface CompiledTemplate {
  readonly columns: readonly string[]
  readonly parts: readonly TemplatePart[]
  readonly text: (row: RowContext, made: MadeParts) => string
}

export function compileTemplate(scope: Scope, path: string, source: string): CompiledTemplate {
  const parsed = parseTemplate(source)
  const parts = parsed._tag === 'Template' ? parsed.parts : []
  if (parsed._tag === 'BadTemplate') scope.problems.push({ path, message: parsed.message })
  const pieces = parts.map((part) => compilePart(scope, path, part))
  return {
    columns: parts.flatMap((part) => (part.kind === 'column' ? [part.column] : [])),
    parts,
    text: (row, made) => pieces.map((piece) => piece(row, made)).join(''),
  }
}

function compilePart(
  scope: Scope,
  path: string,
  part: TemplatePart,
): (row: RowContext, made: MadeParts) => string {
  switch (part.kind) {
    case 'text':
      return () => part.text
    case 'column':
      return cellOf(scope, path, part.column)
    case 'hash':
      return (_row, made) => made.hash
    case 'occurrence':
      return (_row, made) => String(made.occurrence)
  }
}

export function cellOf(scope: Scope, path: string, column: string): TextRenderer {
  const index = scope.columns.get(column)
  if (index === undefined) {
    scope.problems.push({ path, message: `column ${column} is not among input.columns or input.optional` })
    return () => ''
  }
  return (row) => row.cells[index] ?? ''
}

function whenBlank(choice: BlankChoice, column: string): Evaluator {
  switch (choice) {
    case 'omit':
      return () => undefined
    case 'null':
      return () => null
    case 'keep':
      return () => ''
    case 'refuse':
      return (row) => refuse(row, 'blank_cell', `column ${column} is blank`)
  }
}
