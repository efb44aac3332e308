/**
 * Theorem: folders import one way. Every import in engine/, projections/ and api/ goes along an arrow of the table
 * below, every outside system has one adapter file, and nothing imports api/, bench/ or test/.
 */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')

/** Layer → the layers (or files) that it may import besides itself. The longest matching path is a file's layer. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'engine/clock.ts': [],
  'engine/worker-url.ts': [],
  'engine/give-way.ts': [],
  'engine/bounded-cache.ts': [],
  'engine/keyed-hash.ts': [],
  'engine/hash-table.ts': [],
  'engine/events': [],
  'engine/log': [
    'engine/events',
    'engine/clock.ts',
    'engine/worker-url.ts',
    'engine/give-way.ts',
    'engine/bounded-cache.ts',
    'engine/keyed-hash.ts',
    'engine/hash-table.ts',
  ],
  'engine/store': ['engine/events', 'engine/clock.ts', 'engine/worker-url.ts', 'engine/bounded-cache.ts'],
  'engine/reducers': ['engine/events'],
  'engine/identity': ['engine/events'],
  'engine/audit': [
    'engine/events',
    'engine/log',
    'engine/clock.ts',
    'engine/worker-url.ts',
    'engine/bounded-cache.ts',
  ],
  'engine/privacy': ['engine/events', 'engine/clock.ts', 'engine/worker-url.ts', 'engine/bounded-cache.ts'],
  'engine/intake': [
    'engine/events',
    'engine/clock.ts',
    'engine/keyed-hash.ts',
    'engine/hash-table.ts',
    'engine/log',
    'engine/privacy',
    'engine/identity/rules.ts',
  ],
  'engine/projector': [
    'engine/events',
    'engine/clock.ts',
    'engine/bounded-cache.ts',
    'engine/identity',
    'engine/reducers',
    'engine/store',
    'engine/log',
  ],
  projections: [
    'engine/events',
    'engine/reducers',
    'engine/store/table.ts',
    'engine/projector/projection.ts',
  ],
  api: ['engine', 'projections'],
  bench: ['engine', 'projections', 'api'],
}

/**
 * Package of an outside system, or a folder within it → the only files (or folders, with a slash) that import it. What lies
 * beneath a name goes by that name, unless a longer one is stated.
 */
const ADAPTERS: Readonly<Record<string, readonly string[]>> = {
  nats: ['engine/intake/nats/'],
  '@eventstore/db-client': ['engine/log/eventstore.ts', 'bench/esdb/'],
  // EventStoreDB's messages and services, without its client.
  '@eventstore/db-client/generated': ['api/esdb/protocol.ts'],
  pg: ['engine/store/postgres.ts', 'bench/log/peers/postgres.ts'],
}

/** Files that a projection may see only as types: erased, they can't become a dependency at run time. */
const TYPES_ONLY = ['engine/projector/projection.ts']

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const sources = globSync('{engine,projections,api,bench}/**/*.ts', { cwd: ROOT })

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const pattern =
    /^\s*(?:import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|new URL\(\s*'(\.[^']+)'/gm
  return [...text.matchAll(pattern)].map(([, typeOnly, named, dynamic, url]) => {
    const specifier = named ?? dynamic ?? url ?? ''
    const to = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier
    return { from: file, to, typeOnly: typeOnly !== undefined }
  })
}

function layerOf(file: string): string | undefined {
  return Object.keys(ARROWS)
    .filter((layer) => file === layer || file.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0]
}

function allowed({ from, to, typeOnly }: Import): boolean {
  const layer = layerOf(from)
  if (layer === undefined) return false
  if (to.startsWith(`${layer}/`) || to === layer) return true
  if (layer === 'projections' && TYPES_ONLY.includes(to) && !typeOnly) return false
  return (ARROWS[layer] ?? []).some((target) => to === target || to.startsWith(`${target}/`))
}

/** The name in the table that a specifier goes by; undefined: it is no outside system's. */
function adapterOf(specifier: string): string | undefined {
  return Object.keys(ADAPTERS)
    .filter((name) => specifier === name || specifier.startsWith(`${name}/`))
    .sort((a, b) => b.length - a.length)[0]
}

function isStray({ from, to }: Import): boolean {
  const name = adapterOf(to)
  const files = name === undefined ? undefined : ADAPTERS[name]
  return files?.some((file) => (file.endsWith('/') ? from.startsWith(file) : from === file)) === false
}

describe('import arrows', () => {
  test('the table covers the tree', () => {
    expect(sources.length).toBeGreaterThan(30)
    expect(sources.filter((file) => layerOf(file) === undefined)).toEqual([])
  })

  test('every import goes along an arrow', () => {
    const local = sources
      .flatMap(importsOf)
      .filter(
        ({ to }) =>
          !/^(node:|@?[a-z])/.test(to) ||
          to.startsWith('engine') ||
          to.startsWith('projections') ||
          to.startsWith('api') ||
          to.startsWith('bench') ||
          to.startsWith('test'),
      )
    expect(local.length).toBeGreaterThan(60)
    const against = local.filter((entry) => !allowed(entry)).map(({ from, to }) => `${from} → ${to}`)
    expect(against).toEqual([])
  })

  test('one adapter file for each outside system', () => {
    const outside = sources.flatMap(importsOf).filter(({ to }) => adapterOf(to) !== undefined)
    expect(outside.filter(isStray)).toEqual([])
    // What would never be seen is no rule.
    const seen = new Set(outside.map(({ to }) => adapterOf(to)))
    expect([...seen].sort()).toEqual(Object.keys(ADAPTERS).sort())
  })

  test('the rule bites: an import against an arrow is found', () => {
    expect(allowed({ from: 'engine/log/log.ts', to: 'engine/store/store.ts', typeOnly: true })).toBe(false)
    expect(allowed({ from: 'projections/cdp/profile.ts', to: 'engine/log/log.ts', typeOnly: true })).toBe(
      false,
    )
    expect(
      allowed({ from: 'projections/cdp/profile.ts', to: 'engine/projector/projection.ts', typeOnly: false }),
    ).toBe(false)
    expect(allowed({ from: 'engine/intake/nats/direct.ts', to: 'api/app.ts', typeOnly: true })).toBe(false)
    const stray = (from: string, to: string) => isStray({ from, to, typeOnly: false })
    expect(stray('api/esdb/protocol.ts', '@eventstore/db-client/generated/shared_pb.js')).toBe(false)
    expect(stray('api/esdb/server.ts', '@eventstore/db-client/generated/shared_pb.js')).toBe(true)
    expect(stray('api/esdb/protocol.ts', '@eventstore/db-client')).toBe(true)
    expect(stray('engine/log/eventstore.ts', '@eventstore/db-client/dist/Client/index.js')).toBe(false)
    expect(stray('engine/log/eventstore/feed.ts', '@eventstore/db-client/dist/index.js')).toBe(true)
    expect(stray('api/app.ts', 'natsy')).toBe(false)
  })
})

describe('banned footguns', () => {
  const BANNED: readonly (readonly [RegExp, string, (file: string) => boolean])[] = [
    [
      /\bDate\.now\(|\bMath\.random\(|\bperformance\.now\(|new Date\(\)/,
      'take a Clock (engine/clock.ts)',
      (file) => file !== 'engine/clock.ts' && !file.startsWith('bench/'),
    ],
    [/as unknown as/, 'give the value its type where it is made', () => true],
    [/:\s*any\b|<any>|as any\b/, 'unknown, and a codec or a check', () => true],
    [/from 'fp-ts\/(?!lib\/\w+\.js')/, "import from 'fp-ts/lib/<Module>.js'", () => true],
  ]
  for (const [pattern, instead, applies] of BANNED) {
    test(`${pattern.source}: ${instead}`, () => {
      const found = sources
        .filter(applies)
        .filter((file) => pattern.test(stripComments(readFileSync(join(ROOT, file), 'utf8'))))
      expect(found).toEqual([])
    })
  }
})

function stripComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}
