import { hash } from 'node:crypto'
import { catalogue, type EventOf, type EventType } from '../../engine/events/catalogue.ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import type { IdentityId, StatedIdentity } from '../../engine/events/identity.ts'
import { normalise, statedIdentities } from '../../engine/intake/normalise.ts'
import type { AnyProjection, Configuration, DecodedEvent } from '../../engine/projector/projection.ts'
import type { Row } from '../../engine/store/table.ts'

/** Given events → expected rows, without log or store: each key folded by itself, profiles by hand. */

type Data = Readonly<Record<string, unknown>>

export interface Stated {
  readonly at?: string | undefined
  readonly source?: string | undefined
  readonly sequence?: number | undefined
  readonly id?: string | undefined
  readonly origin?: string | undefined
  readonly basedOn?: number | undefined
}

let count = 0

/** An event as folds see it: identities and normalised values as the intake would derive them. */
export function event(type: string, data: Data, stated: Stated = {}): DecodedEvent {
  count += 1
  const definition: EventDefinition | undefined = Object.hasOwn(catalogue, type)
    ? catalogue[type as EventType]
    : undefined
  if (definition !== undefined && !definition.codec.is(data)) throw new Error(`not valid data of ${type}`)
  const normalised = normalise(definition, data, {})
  const time = Date.parse(stated.at ?? '2026-03-01T12:00:00Z')
  return {
    stream: `${definition?.category ?? 'custom'}-${count}`,
    id: stated.id ?? `e${count}`,
    source: stated.source ?? 'crm',
    type,
    schema: 1,
    time,
    received: time,
    sequence: stated.sequence,
    origin: stated.origin,
    basedOn: stated.basedOn,
    identities: statedIdentities(definition, data, normalised).map((each) => ({
      id: idOf(each),
      namespace: each.namespace,
    })),
    data,
    normalised,
    position: count,
    revision: 0,
  }
}

/** What the key store would make of an identity: random there, stable here. */
export function idOf({ namespace, value }: StatedIdentity): IdentityId {
  return hash('sha256', `${namespace} ${value}`).slice(0, 32)
}

export const NO_CONFIGURATION: Configuration = { all: () => [] }

/** Each event in a stream of its own. */
export function configuration(...published: readonly DecodedEvent[]): Configuration {
  return {
    all: <T extends EventType>(type: T) =>
      published.filter((each) => each.type === type) as readonly DecodedEvent[] as readonly EventOf<T>[],
  }
}

export type States = ReadonlyMap<string, unknown>

/** Folds each key's events in the order given, on top of what was folded before. */
export function fold(
  projection: AnyProjection,
  events: readonly DecodedEvent[],
  config: Configuration = NO_CONFIGURATION,
  before: States = new Map(),
): States {
  const states = new Map(before)
  for (const each of events) {
    if (!handles(projection, each)) continue
    for (const key of projection.keys(each)) {
      const state = states.get(key) ?? projection.initial(key)
      states.set(key, projection.reduce(state, each, config, key))
    }
  }
  return states
}

export function handles(projection: AnyProjection, { type }: DecodedEvent): boolean {
  return projection.handles === 'every' || projection.handles.includes(type)
}

/** All rows, those of a key after each other. */
export function rows(
  projection: AnyProjection,
  events: readonly DecodedEvent[],
  config: Configuration = NO_CONFIGURATION,
): readonly Row[] {
  const states = fold(projection, events, config)
  return [...states].flatMap(([key, state]) => [...projection.table.rows(state, config, key).values()])
}

/** The only row, without the columns that are null. */
export function onlyRow(
  projection: AnyProjection,
  events: readonly DecodedEvent[],
  config: Configuration = NO_CONFIGURATION,
): Row {
  const [row, ...others] = rows(projection, events, config)
  if (row === undefined || others.length > 0) throw new Error('expected one row')
  return withoutNulls(row)
}

/** The rows of one profile that all these events' atoms belong to, by part. */
export function profileRows(
  projection: AnyProjection,
  events: readonly DecodedEvent[],
  config: Configuration = NO_CONFIGURATION,
): Readonly<Record<string, Row>> {
  const states = [...fold(projection, events, config).values()]
  if (states.length === 0) return {}
  const joined = states.reduce((a, b) => projection.join(a, b, config))
  const found = projection.table.rows(joined, config, 'profile')
  return Object.fromEntries([...found].map(([part, row]) => [part, withoutNulls(row)]))
}

function withoutNulls(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
}

export function ms(at: string): number {
  return Date.parse(at)
}
