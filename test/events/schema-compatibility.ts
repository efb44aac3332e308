/** Whether whoever wrote data by one JSON Schema of ours may go on doing so under another. */

export type Schema = Readonly<Record<string, unknown>>

/**
 * What `next` no longer takes, or treats worse, of what `published` took: whole sentences with the place. Empty: compatible.
 * Optional properties may be added; whatever is taken may be taken more widely.
 */
export function narrowings(published: Schema, next: Schema, at = 'data'): readonly string[] {
  if (isAny(next)) return unsealed(published, next, at)
  const alternatives = membersOf(published)
  if (alternatives.length > 1 || membersOf(next).length > 1) return narrowedUnion(published, next, at)
  return [
    ...unsealed(published, next, at),
    ...narrowedType(published, next, at),
    ...narrowedChoice(published, next, at),
    ...narrowedBounds(published, next, at),
    ...narrowedObject(published, next, at),
    ...narrowedParts(published, next, at),
  ]
}

const MARKS = new Set(['x-personal', 'x-owner', 'description', 'title'])

function isAny(schema: Schema): boolean {
  return Object.keys(schema).every((key) => MARKS.has(key))
}

function membersOf(schema: Schema): readonly Schema[] {
  return Array.isArray(schema['anyOf']) ? (schema['anyOf'] as Schema[]) : [schema]
}

function narrowedUnion(published: Schema, next: Schema, at: string): readonly string[] {
  const taking = membersOf(next)
  const refused = membersOf(published).filter(
    (member) => !taking.some((other) => narrowings(member, other, at).length === 0),
  )
  const lost = refused.map((member) => `${at}: ${JSON.stringify(member)} is no longer taken`)
  return [...unsealed(published, next, at), ...lost]
}

/** In clear it would stay in the log for ever. */
function unsealed(published: Schema, next: Schema, at: string): readonly string[] {
  const was = published['x-personal'] === true
  return was && next['x-personal'] !== true ? [`${at}: was sealed as personal, and no longer is`] : []
}

function narrowedType(published: Schema, next: Schema, at: string): readonly string[] {
  if (next['type'] === undefined) return []
  if (isAny(published)) return [`${at}: took anything, and now takes ${JSON.stringify(next['type'])} only`]
  const taken = typesOf(next)
  const lost = typesOf(published).filter(
    (type) => !taken.includes(type) && !(type === 'integer' && taken.includes('number')),
  )
  return lost.length > 0 ? [`${at}: no longer takes ${lost.join(', ')}`] : []
}

function typesOf({ type, const: only, enum: choices }: Schema): readonly string[] {
  if (typeof type === 'string') return [type]
  if (Array.isArray(type)) return type.map(String)
  const values = Array.isArray(choices) ? choices : only === undefined ? [] : [only]
  return [...new Set(values.map((value) => typeof value))]
}

function narrowedChoice(published: Schema, next: Schema, at: string): readonly string[] {
  const taken = choicesOf(next)
  if (taken === undefined) return []
  const before = choicesOf(published)
  if (before === undefined) return [`${at}: took any value, and now one of ${taken.join(', ')} only`]
  const lost = before.filter((value) => !taken.includes(value))
  return lost.length > 0 ? [`${at}: no longer takes ${lost.join(', ')}`] : []
}

function choicesOf({ enum: choices, const: only }: Schema): readonly string[] | undefined {
  if (Array.isArray(choices)) return choices.map((value) => JSON.stringify(value))
  return only === undefined ? undefined : [JSON.stringify(only)]
}

/** Keyword → whether a number there takes less than the one before. */
const BOUNDS: Readonly<Record<string, (before: number, after: number) => boolean>> = {
  minimum: (before, after) => after > before,
  exclusiveMinimum: (before, after) => after > before,
  minLength: (before, after) => after > before,
  minItems: (before, after) => after > before,
  maximum: (before, after) => after < before,
  exclusiveMaximum: (before, after) => after < before,
  maxLength: (before, after) => after < before,
  maxItems: (before, after) => after < before,
}

function narrowedBounds(published: Schema, next: Schema, at: string): readonly string[] {
  const found: string[] = []
  for (const [keyword, isTighter] of Object.entries(BOUNDS)) {
    const [before, after] = [published[keyword], next[keyword]]
    if (typeof after !== 'number') continue
    if (typeof before !== 'number' || isTighter(before, after))
      found.push(`${at}: ${keyword} was ${before ?? 'not bounded'}, and now is ${after}`)
  }
  for (const keyword of ['pattern', 'format'])
    if (next[keyword] !== undefined && next[keyword] !== published[keyword])
      found.push(`${at}: ${keyword} was ${published[keyword] ?? 'open'}, and now is ${String(next[keyword])}`)
  return found
}

function narrowedObject(published: Schema, next: Schema, at: string): readonly string[] {
  const [before, after] = [propertiesOf(published), propertiesOf(next)]
  const [needed, needs] = [requiredOf(published), requiredOf(next)]
  const found: string[] = []
  for (const [name, schema] of Object.entries(before)) {
    const other = after[name]
    // Data that no codec declares is sealed whole and is no longer anybody's to read by name.
    if (other === undefined) found.push(`${at}.${name}: was removed`)
    else found.push(...narrowings(schema, other, `${at}.${name}`))
  }
  for (const name of needs)
    if (!needed.includes(name)) found.push(`${at}.${name}: is required now, and wasn't`)
  return found
}

function propertiesOf({ properties }: Schema): Readonly<Record<string, Schema>> {
  return (properties ?? {}) as Readonly<Record<string, Schema>>
}

function requiredOf({ required }: Schema): readonly string[] {
  return Array.isArray(required) ? required.map(String) : []
}

function narrowedParts(published: Schema, next: Schema, at: string): readonly string[] {
  const found: string[] = []
  for (const [keyword, place] of [
    ['items', '[]'],
    ['additionalProperties', '.*'],
  ] as const) {
    const [before, after] = [published[keyword], next[keyword]]
    if (isSchema(after)) found.push(...narrowings(isSchema(before) ? before : {}, after, `${at}${place}`))
  }
  const [parts, others] = [published['allOf'], next['allOf']]
  if (Array.isArray(parts) || Array.isArray(others)) {
    const same = JSON.stringify(parts) === JSON.stringify(others)
    if (!same) found.push(`${at}: its parts (allOf) changed; compare them by hand`)
  }
  return found
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
