import assert from 'node:assert/strict'

/** What of a stream's metadata decides which of its events are seen. Everything else in them is kept and not looked at. */
export interface StreamMetadata {
  /** Only so many of the last events; at least 1. */
  readonly maxCount: number | undefined
  /** Only events that are no older. */
  readonly maxAgeMs: number | undefined
  /** Events before this revision are hidden; `deleted`: the stream is, until it is written again. */
  readonly truncateBefore: number | 'deleted' | undefined
}

const NOTHING: StreamMetadata = { maxCount: undefined, maxAgeMs: undefined, truncateBefore: undefined }

/** A metastream's own: of its events the last is seen. */
export const OF_METASTREAMS: StreamMetadata = { ...NOTHING, maxCount: 1 }

/** The greatest 64-bit integer: the revision of a tombstone, and where a deleted stream is cut. */
const GREATEST = 2n ** 63n - 1n
/** The same as a record's revision, which no stream reaches. */
export const TOMBSTONE_REVISION = Number(GREATEST)

/** As `String` does, but exact for a tombstone's. */
export function revisionText(revision: number): string {
  return revision >= TOMBSTONE_REVISION ? String(GREATEST) : String(revision)
}

const TRUNCATE_BEFORE = '$tb'
export const DELETED_METADATA = Buffer.from(`{"${TRUNCATE_BEFORE}":${GREATEST}}`)

type Json = Readonly<Record<string, unknown>>

/**
 * As EventStoreDB reads them: what isn't a JSON object, or has something else than a 64-bit integer where one belongs, counts
 * as no metadata at all; numbers that are too small count as absent.
 */
export function metadataOf(bytes: Uint8Array): StreamMetadata {
  const json = exactJson(bytes)
  if (json === undefined) return NOTHING
  const [count, age, cut] = ['$maxCount', '$maxAge', TRUNCATE_BEFORE].map((name) => json[name])
  const others = [json['$cacheControl'], count, age, cut]
  if (others.some((value) => value !== undefined && !isWide(value))) return NOTHING
  if (json['$acl'] !== undefined && !isAcl(json['$acl'])) return NOTHING
  return {
    maxCount: atLeast(count, 1n),
    maxAgeMs: milliseconds(atLeast(age, 1n)),
    truncateBefore: cut === GREATEST ? 'deleted' : atLeast(cut, 0n),
  }
}

/** The metadata, cut before `revision`; undefined: they are no JSON object. */
export function cutBefore(bytes: Uint8Array, revision: number): Uint8Array | undefined {
  const json = exactJson(bytes)
  if (json === undefined) return undefined
  return Buffer.from(JSON.stringify({ ...json, [TRUNCATE_BEFORE]: BigInt(revision) }, exactly))
}

/** Writes big integers with all their digits. TypeScript's types lack it. */
const rawJson: unknown = Reflect.get(JSON, 'rawJSON')

function exactly(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  assert(typeof rawJson === 'function', 'Node has JSON.rawJSON')
  return rawJson(String(value))
}

/** Integers as big ones: a double would change some. */
function exactInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source ?? ''
  return typeof value === 'number' && /^-?\d+$/.test(source) ? BigInt(source) : value
}

function exactJson(bytes: Uint8Array): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'), exactInteger)
    return isJson(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isWide(value: unknown): value is bigint {
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value
}

const RIGHTS: readonly string[] = ['$r', '$w', '$d', '$mr', '$mw']
const EVERYBODY = '$all'

/**
 * The first right in metadata that they would give to some only; undefined: none. Here whoever has the credentials for it has each
 * right to every stream: no narrower one could be kept.
 */
export function narrowedRight(bytes: Uint8Array): string | undefined {
  const acl = exactJson(bytes)?.['$acl']
  if (acl === undefined) return undefined
  return isJson(acl) ? RIGHTS.find((right) => isNarrow(acl[right])) : '$acl'
}

function isNarrow(roles: unknown): boolean {
  if (roles === undefined || roles === EVERYBODY) return false
  return !(Array.isArray(roles) && roles.includes(EVERYBODY))
}

function isAcl(value: unknown): boolean {
  return isJson(value) && RIGHTS.every((right) => value[right] === undefined || isRoles(value[right]))
}

function isRoles(value: unknown): boolean {
  return (
    typeof value === 'string' || (Array.isArray(value) && value.every((each) => typeof each === 'string'))
  )
}

function atLeast(value: unknown, least: bigint): number | undefined {
  return typeof value === 'bigint' && value >= least ? Number(value) : undefined
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
