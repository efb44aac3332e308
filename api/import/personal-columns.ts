import { catalogue } from '../../engine/events/catalogue.ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import type { Scope } from './expression.ts'
import { type EventTemplate, isExpression, type Mapping, type ValueNode } from './mapping-codec.ts'
import { scalar } from './shapes.ts'
import { parseTemplate } from './template.ts'

/** Ids and stream names stay in the log for ever in clear, and a hash of a short value is found by trying. */
export function refusePersonal(
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
