import type { EventOf, EventType } from '../engine/events/catalogue.ts'
import { parseInstant } from '../engine/events/instant.ts'
import type { Configuration, Tick } from '../engine/projector/projection.ts'
import type { DecisionWrite } from '../engine/reducers/decisions.ts'
import type { Rules } from '../engine/reducers/fields.ts'
import {
  type Governed,
  type GovernedState,
  type GovernedWrites,
  governed,
} from '../engine/reducers/governed.ts'
import { CHOICE_RULES, ruleNamed } from '../engine/reducers/named.ts'
import type { Column, ColumnType } from '../engine/store/table.ts'
import { readDefined } from './custom-values.ts'
import type { DefinedField } from './definitions.ts'
import { isEcho } from './echo.ts'
import { RANKED_BY } from './ranking.ts'
import { type FieldSpec, overridesOf, type ViewSpec } from './survivorship.ts'
import { identityIn, instantAt, scaled, textOf } from './values.ts'

/** Fields whose rules a workspace may replace, and whose values stewards may decide. */

/** For `configuredBy` of every projection that has such fields. */
export const GOVERNED_BY = [...RANKED_BY, 'rules.published'] as const
/** The same for those that show defined fields too. */
export const DEFINED_BY = [...GOVERNED_BY, 'field.defined'] as const

export const DECISIONS = ['conflict.resolved', 'field.locked', 'field.unlocked'] as const
export type DecisionType = (typeof DECISIONS)[number]

/** What a decision's value must be to stand in a field: a column's type, or how to read it. */
type Held = ColumnType | ((value: unknown) => unknown)

interface Declaration<R extends Rules> {
  /** Name under which rules and decisions speak of it. */
  readonly view: string
  readonly rules: R
  /** Of these a steward may decide; the others are bookkeeping. */
  readonly stewarded: Readonly<Partial<Record<keyof R & string, Held>>>
  /** Prefix of names that may be decided too, such as `traits.`. */
  readonly prefix?: string | undefined
  readonly windowMs: number
}

export interface GovernedFields<R extends Rules> extends ViewSpec {
  /** By the rules of the projection alone; reads states of any configuration. */
  readonly base: Governed<R>
  /** By what the workspace has published. */
  in(config: Configuration): Governed<R>
  isDecidable(field: string): boolean
  /** A decision's value as the field holds it; undefined: it can't. */
  read(field: string, value: unknown): unknown
  /** With fields that a workspace has defined behind its own, in this order. */
  with(defined: readonly DefinedField[]): GovernedFields<R>
}

const DAY_MS = 86_400_000
/** Systems keep what they know of people for long, and repeat it whenever somebody orders. */
export const PROFILE_WINDOW_MS = 365 * DAY_MS
export const RECORD_WINDOW_MS = 30 * DAY_MS

export function governedFields<R extends Rules>(
  declared: Declaration<R>,
  defined: readonly DefinedField[] = [],
): GovernedFields<R> {
  const { view, windowMs, prefix } = declared
  const rules: R = defined.length === 0 ? declared.rules : { ...declared.rules, ...rulesOf(defined) }
  const held = new Map<string, Held>(Object.entries(declared.stewarded) as [string, Held][])
  for (const field of defined) held.set(field.name, (value) => readDefined(field, value))
  const heldBy = (field: string): Held | undefined =>
    held.get(field) ?? (prefix !== undefined && isNameAfter(prefix, field) ? anything : undefined)
  const read = (field: string, value: unknown): unknown => {
    const how = heldBy(field)
    return how === undefined ? undefined : typeof how === 'function' ? how(value) : readAs(how, value)
  }
  const fields = new Map([...held].map(([name, how]) => [name, specOf(rules, name, how)]))
  for (const { name, type } of defined) fields.set(name, specOf(rules, name, type))
  const spec: ViewSpec = { view, fields, windowMs }
  const base = governed(rules, read)
  const known = new WeakMap<Configuration, Governed<R>>()
  let last: Configuration | undefined
  let lastFields = base
  return {
    ...spec,
    base,
    in(config) {
      // A build folds all its events under one configuration.
      if (config === last) return lastFields
      lastFields = known.get(config) ?? overridden(rules, config, spec, (own) => governed(own, read), base)
      known.set(config, lastFields)
      last = config
      return lastFields
    },
    isDecidable: (field) => heldBy(field) !== undefined,
    read,
    with: (more) => governedFields(declared, more),
  }
}

function rulesOf(defined: readonly DefinedField[]): Rules {
  return Object.fromEntries(defined.map((field) => [field.name, ruleNamed(field)]))
}

/** No event can state a property `__proto__`, so no decision shall. */
function isNameAfter(prefix: string, field: string): boolean {
  return field.startsWith(prefix) && field.length > prefix.length && field !== `${prefix}__proto__`
}

function anything(value: unknown): unknown {
  return value
}

function specOf(rules: Rules, name: string, how: Held): FieldSpec {
  const rule = rules[name]
  return {
    type: typeof how === 'function' ? 'json' : how,
    rule: rule?.name ?? '',
    isRulable: CHOICE_RULES.some((each) => each === rule?.name),
    isResolvable: rule?.prefers !== undefined,
  }
}

function overridden<R extends Rules>(
  rules: R,
  config: Configuration,
  spec: ViewSpec,
  make: (rules: R) => Governed<R>,
  base: Governed<R>,
): Governed<R> {
  const own: Record<string, Rules[string]> = {}
  for (const [field, { rule, sources, values }] of overridesOf(config, spec)) {
    if (rule !== undefined) own[field] = ruleNamed({ rule, sources, values })
  }
  return Object.keys(own).length === 0 ? base : make({ ...rules, ...own })
}

/** undefined: a column of that type can't hold it. */
function readAs(type: ColumnType, value: unknown): unknown {
  if (value === null) return null
  switch (type) {
    case 'text':
      return textOf(value)
    case 'day':
      return value === '' || (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value))
        ? value
        : undefined
    case 'identity':
      return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) ? value : undefined
    case 'integer':
      return value === '' || Number.isSafeInteger(value) ? value : undefined
    case 'real':
      return value === '' || (typeof value === 'number' && Number.isFinite(value)) ? value : undefined
    case 'money':
      return value === '' ? '' : scaled(value)
    case 'instant':
      if (value === '' || Number.isSafeInteger(value)) return value
      return typeof value === 'string' ? parseInstant(value) : undefined
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'json':
      return typeof value === 'object' ? value : undefined
  }
}

export function isDecision<E extends { readonly type: string }>(
  event: E,
): event is E & EventOf<DecisionType> {
  const { type } = event
  return type === 'conflict.resolved' || type === 'field.locked' || type === 'field.unlocked'
}

/** What the event decides; undefined: nothing that this view has. */
export function decisionOf(
  event: EventOf<DecisionType>,
  { isDecidable }: Pick<GovernedFields<Rules>, 'isDecidable'>,
): DecisionWrite | undefined {
  const { field, steward, value, reason = null } = event.data
  if (!isDecidable(field)) return undefined
  const expires = event.type === 'field.locked' ? instantAt(event, 'expires_at') : null
  return {
    field,
    act: actOf(event.type),
    value: value === undefined ? [] : [value],
    by: steward,
    reason,
    expires: typeof expires === 'number' ? expires : null,
  }
}

function actOf(type: DecisionType): DecisionWrite['act'] {
  switch (type) {
    case 'conflict.resolved':
      return 'resolved'
    case 'field.locked':
      return 'locked'
    case 'field.unlocked':
      return 'unlocked'
  }
}

export interface RecordDeclaration<R extends Rules, T extends EventType> {
  readonly fields: GovernedFields<R>
  /** Of the view that shows it. */
  readonly columns: Readonly<Record<string, Column>>
  readonly handles: readonly T[]
  /** Namespace of the identity that a key is; absent: keys are the sender's own ids. */
  readonly namespace?: string | undefined
  /** What an echo writes too: that there is such a record, and when it was heard of. */
  readonly presence: readonly (keyof R & string)[]
  keys(event: EventOf<T>): readonly string[]
  writes(event: EventOf<T>): GovernedWrites<R>
}

/** The fold of records whose fields are governed; what a projection adds is its name and its table. */
interface RecordFold<R extends Rules, T extends EventType> {
  readonly handles: readonly (T | DecisionType)[]
  readonly configuredBy: readonly EventType[]
  keys(event: EventOf<T | DecisionType>): readonly string[]
  initial(key: string): GovernedState<R>
  reduce(state: GovernedState<R>, event: EventOf<T | DecisionType>, config: Configuration): GovernedState<R>
  join(a: GovernedState<R>, b: GovernedState<R>, config?: Configuration): GovernedState<R>
  due(state: GovernedState<R>): number | undefined
  tick(state: GovernedState<R>, tick: Tick): GovernedState<R>
}

export function recordFold<R extends Rules, T extends EventType>(
  declared: RecordDeclaration<R, T>,
): RecordFold<R, T> {
  const { fields, handles, presence } = declared
  const present = new Set<string>(presence)
  return {
    handles: [...handles, ...DECISIONS],
    configuredBy: GOVERNED_BY,
    keys: (event) => keysIn(declared, event),
    initial: () => fields.base.initial,
    reduce(state, event, config) {
      const kept = fields.in(config)
      if (isDecision(event)) {
        const decision = decisionOf(event, fields)
        return decision === undefined ? state : kept.decide(state, event, decision)
      }
      const writes = writesIn(declared, event as EventOf<T>)
      return kept.writeAll(state, event, isEcho(event, config) ? only(writes, present) : writes)
    },
    join: (a, b, config) => (config === undefined ? fields.base : fields.in(config)).join(a, b),
    due: fields.base.due,
    tick: (state, { at }) => fields.base.tick(state, at),
  }
}

/** The records that an event is about, a decision too. */
export function keysIn<R extends Rules, T extends EventType>(
  declared: RecordDeclaration<R, T>,
  event: EventOf<T | DecisionType>,
): readonly string[] {
  const { fields, namespace } = declared
  return isDecision(event) ? decidedKeys(event, fields.view, namespace) : declared.keys(event as EventOf<T>)
}

function decidedKeys(
  event: EventOf<DecisionType>,
  view: string,
  namespace: string | undefined,
): readonly string[] {
  if (event.data.view !== view) return []
  const key = event.data.key ?? (namespace === undefined ? undefined : identityIn(event, namespace))
  return key === undefined ? [] : [key]
}

/** What each record's last event writes: several views ask for the same one after the other. */
const lastWrites = new WeakMap<object, { readonly event: object; readonly writes: unknown }>()

export function writesIn<R extends Rules, T extends EventType>(
  declared: RecordDeclaration<R, T>,
  event: EventOf<T>,
): GovernedWrites<R> {
  const last = lastWrites.get(declared.writes)
  if (last?.event === event) return last.writes as GovernedWrites<R>
  const writes = declared.writes(event)
  lastWrites.set(declared.writes, { event, writes })
  return writes
}

export function only<W extends Readonly<Record<string, unknown>>>(writes: W, names: ReadonlySet<string>): W {
  const kept: Record<string, unknown> = {}
  for (const name in writes) if (names.has(name)) kept[name] = writes[name]
  return kept as W
}
