import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import { catalogue } from './catalogue.ts'
import type { Check } from './check.ts'
import { compileCheck } from './check.ts'
import type { EventDefinition } from './codec.ts'
import { assertDefinition } from './definition-rules.ts'
import type { DataError } from './explain.ts'
import { explain } from './explain.ts'

type Data = Readonly<Record<string, unknown>>

/**
 * `schema_newer`: we don't know that version yet, a later release may. `schema_unknown`: no version of anything.
 * `invalid_data`: the first reasons, which carry no value of the data.
 */
export type DecodeFailure =
  | { readonly _tag: 'schema_newer'; readonly schema: number; readonly known: number }
  | { readonly _tag: 'schema_unknown' }
  | { readonly _tag: 'invalid_data'; readonly errors: readonly DataError[] }

interface Decoded {
  /** Lifted to the newest version. What is stored is the data as sent, at the version as sent. */
  readonly data: Data
  /** undefined: a custom event, of which nothing is known. */
  readonly definition: EventDefinition | undefined
}

export interface Registry {
  /** undefined: a custom event. */
  find(type: string): EventDefinition | undefined
  /** Validates data as a sender states it. */
  decode(type: string, schema: number, data: unknown): E.Either<DecodeFailure, Decoded>
  /** Lifts data that was valid when it was stored; custom events and the newest version stay as they are. */
  upcast(type: string, schema: number, data: Data): Data
  readonly types: readonly string[]
}

/** Reasons given for one event. */
const MAX_ERRORS = 10

interface Known {
  readonly definition: EventDefinition
  readonly check: Check
}

/** Asserts that the definitions keep the rules of `definition-rules.ts`. */
export function createRegistry(definitions: Readonly<Record<string, EventDefinition>>): Registry {
  const byType = new Map<string, Known>()
  for (const [type, definition] of Object.entries(definitions)) {
    assertDefinition(type, definition)
    byType.set(type, { definition, check: compileCheck(definition.codec) })
  }
  return {
    find: (type) => byType.get(type)?.definition,
    decode: (type, schema, data) => decode(byType.get(type), schema, data),
    upcast: (type, schema, data) => {
      const known = byType.get(type)
      return known === undefined ? data : upcast(known.definition, schema, data)
    },
    types: [...byType.keys()],
  }
}

function decode(known: Known | undefined, schema: number, data: unknown): E.Either<DecodeFailure, Decoded> {
  if (!Number.isSafeInteger(schema) || schema < 1) return E.left({ _tag: 'schema_unknown' })
  if (!isData(data)) return invalid([{ path: '', message: 'expected an object' }])
  if (known === undefined) return E.right({ data, definition: undefined })
  const { definition, check } = known
  if (schema > definition.schema) return E.left({ _tag: 'schema_newer', schema, known: definition.schema })
  const lifted = schema === definition.schema ? data : tryUpcast(definition, schema, data)
  if (lifted === undefined) {
    return invalid([{ path: '', message: `can't be lifted from schema ${schema} to ${definition.schema}` }])
  }
  // Says what `decode` says of codecs that change nothing; reasons are sought only if needed.
  if (check(lifted)) return E.right({ data: lifted, definition })
  return invalid(explain(definition.codec, lifted, MAX_ERRORS))
}

function invalid(errors: readonly DataError[]): E.Either<DecodeFailure, never> {
  return E.left({ _tag: 'invalid_data', errors })
}

/** An upcaster expects data that was valid in its day; what a sender states need not be. */
function tryUpcast(definition: EventDefinition, schema: number, data: Data): Data | undefined {
  try {
    return upcast(definition, schema, data)
  } catch {
    return undefined
  }
}

function upcast(definition: EventDefinition, schema: number, data: Data): Data {
  assert(schema >= 1 && schema <= definition.schema, 'the log holds known schema versions only')
  let lifted = data
  for (let version = schema; version < definition.schema; version++) {
    const step = definition.upcasters?.[version]
    assert(step !== undefined, `there is an upcaster from version ${version}`)
    lifted = step(lifted)
  }
  return lifted
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const registry = createRegistry(catalogue)

/** The literal Segment spec names: a track call of such a name is an event of that type. Ours begin in lower case. */
export const SPEC_NAMES: ReadonlySet<string> = new Set(registry.types.filter((type) => /^[A-Z]/.test(type)))
