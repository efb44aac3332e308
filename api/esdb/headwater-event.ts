import * as E from 'fp-ts/lib/Either.js'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { declaredProperties, personalProperties } from '../../engine/events/personal.ts'
import { registry } from '../../engine/events/registry.ts'
import { ENGINE_SOURCE } from '../../engine/intake/decider.ts'
import { SOURCE_PATTERN } from '../../engine/intake/envelope.ts'
import { parseValue } from '../../engine/intake/parse.ts'
import type { Incoming } from '../../engine/intake/result.ts'
import type { Expected } from '../../engine/log/log.ts'
import type { ProposedEvent } from './backend.ts'
import { keptBytes } from './kept-bytes.ts'
import { keptStream, keptType } from './log-names.ts'
import { isSystemName } from './system-names.ts'

/** How an event appended by EventStoreDB's protocol is handed to the intake. */

type Json = Readonly<Record<string, unknown>>

/** Where all extension attributes stand in an event's data. */
export const EXTENSIONS = 'ce_extensions'

/**
 * Extension attributes that say what the event itself doesn't give back. They are sealed with its personal parts, so they are
 * erased with them. The metadata are always there, if only as an empty text: they tell that the event came this way.
 */
export const KEPT = { metadata: 'esdbmetadata', data: 'esdbdata', content: 'esdbcontent' } as const
export const BINARY = 'binary'

export function incomingOf(stream: string, event: ProposedEvent, expected: Expected | undefined): Incoming {
  // System events' data are read by this protocol alone, and may hold integers that a double can't.
  const data = event.isJson && !isSystemName(event.type) ? jsonObject(event.data) : undefined
  const type = keptType({ stream, type: event.type })
  const value = {
    ...contextOf(jsonObject(event.metadata) ?? {}),
    id: event.id,
    type,
    data: data ?? {},
    [KEPT.metadata]: keptBytes(event.metadata),
    ...(data === undefined || !comesBack({ ...event, type }, data)
      ? { [KEPT.data]: keptBytes(event.data) }
      : {}),
    ...(event.isJson ? {} : { [KEPT.content]: BINARY }),
  }
  return { value, stream: keptStream(stream), expected }
}

/** What of a writer's metadata is our envelope's; by the names that EventStoreDB and its clients use. */
function contextOf(metadata: Json): Json {
  const context: Record<string, unknown> = {}
  const source = metadata['$source'] ?? metadata['source']
  // Another engine that has its log here is no source of that name: it is this one's own.
  const isSource = typeof source === 'string' && SOURCE_PATTERN.test(source) && source !== ENGINE_SOURCE
  if (isSource) context['source'] = source
  const correlation = shortText(metadata['$correlationId'])
  if (correlation !== undefined) context['correlation'] = correlation
  const causation = shortText(metadata['$causationId'])
  if (causation !== undefined) context['causation'] = causation
  return context
}

const MAX_CONTEXT_LENGTH = 256

function shortText(value: unknown): string | undefined {
  const isText = typeof value === 'string' && value.length <= MAX_CONTEXT_LENGTH && value.isWellFormed()
  return isText ? value : undefined
}

/**
 * Whether the log gives the same bytes back. Of events that hold several people's parts the bytes are never kept: they would
 * outlast the erasure of all but one.
 */
function comesBack({ type, data }: ProposedEvent, parsed: Json): boolean {
  const definition = registry.find(type)
  if (definition !== undefined && namesOthers(definition, parsed)) return true
  // Its own extensions are merged with ours; a track of a known name becomes an event of that name.
  if (Object.hasOwn(parsed, EXTENSIONS) || type === 'cdp.track') return false
  return sameBytes(definition === undefined ? parsed : asReassembled(definition, parsed), data)
}

function namesOthers(definition: EventDefinition, data: Json): boolean {
  const personal = personalProperties(definition)
  return Object.keys(data).some((name) => personal.get(name)?.owner !== undefined)
}

/** What is sealed returns behind the rest. */
function asReassembled(definition: EventDefinition, data: Json): Json {
  const [declared, personal] = [declaredProperties(definition), personalProperties(definition)]
  const isClear = ([name]: readonly [string, unknown]): boolean => declared.has(name) && !personal.has(name)
  const entries = Object.entries(data)
  return Object.fromEntries([...entries.filter(isClear), ...entries.filter((entry) => !isClear(entry))])
}

function sameBytes(value: Json, bytes: Uint8Array): boolean {
  try {
    return Buffer.from(JSON.stringify(value)).equals(bytes)
  } catch {
    // A number too wide for a double, which the intake refuses.
    return false
  }
}

/** undefined: not UTF-8, not JSON, or not an object. */
function jsonObject(bytes: Uint8Array): Json | undefined {
  // No metadata, as a rule; to fail over nothing costs more than to read an event.
  if (bytes.length === 0) return undefined
  const parsed = parseValue(bytes)
  if (E.isLeft(parsed)) return undefined
  const value = parsed.right
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
}
