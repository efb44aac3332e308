import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { type InputItem, openInput, readInput } from '../../api/import/input-file.ts'
import { type CompiledMapping, compileMapping, type OutgoingEvent } from '../../api/import/mapper.ts'
import { loadMapping } from '../../api/import/mapping.ts'
import { decodeMapping } from '../../api/import/mapping-codec.ts'
import type { EventResult, Sender, SendOutcome } from '../../api/import/sender.ts'

/** What the tests of the import share: files in a directory of their own, mappings, and an engine made of a Map. */

export function orThrow<T>(result: E.Either<unknown, T>): T {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left))
  return result.right
}

export interface Files {
  readonly directory: string
  write(name: string, content: string | Uint8Array): string
  path(name: string): string
  remove(): void
}

export function temporaryFiles(): Files {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-import-'))
  const path = (name: string) => join(directory, name)
  return {
    directory,
    path,
    write: (name, content) => {
      writeFileSync(path(name), content)
      return path(name)
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** A small valid mapping that tests change; a change to undefined takes the property away. */
export function mappingDocument(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const document = {
    mapping: 1,
    name: 'sample',
    source: 'web',
    sequence: 'row',
    input: { format: 'csv', columns: ['a', 'b'], zone: 'UTC' },
    events: [
      {
        type: 'sample.seen',
        id: { template: 'sample:{#hash}:{#occurrence}', hash: ['a', 'b'] },
        data: { a: { $column: 'a' }, b: { $column: 'b' } },
      },
    ],
    ...changes,
  }
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined))
}

export function compile(document: unknown): CompiledMapping {
  return orThrow(E.flatMap(compileMapping)(decodeMapping(document)))
}

export function bundled(name: string): Promise<CompiledMapping> {
  const path = join(import.meta.dirname, '..', '..', 'api', 'import', 'mappings', `${name}.json`)
  return loadMapping(path).then(orThrow)
}

export async function readAll(path: string, mapping: CompiledMapping): Promise<readonly InputItem[]> {
  const items: InputItem[] = []
  for await (const item of readInput(orThrow(await openInput(path)), mapping.mapping.input)) items.push(item)
  return items
}

export interface MappedFile {
  readonly events: readonly unknown[]
  readonly refused: readonly { readonly line: number; readonly reason: string }[]
}

/** Everything that a file comes to, without the prelude. */
export async function mapFile(path: string, mapping: CompiledMapping): Promise<MappedFile> {
  const mapper = mapping.createMapper()
  const events: unknown[] = []
  const refused: { line: number; reason: string }[] = []
  for (const [i, item] of (await readAll(path, mapping)).entries()) {
    if (item._tag === 'Failed') throw new Error(item.failure.message)
    const mapped =
      item._tag === 'BadRow' ? E.left(item) : mapper.map({ row: i + 1, line: item.line, cells: item.cells })
    if (E.isLeft(mapped)) refused.push({ line: item.line, reason: mapped.left.reason })
    else events.push(...mapped.right.map((event) => JSON.parse(event.json) as unknown))
  }
  return { events, refused }
}

/** Ids of everything in a mapped file, in order. */
export function idsOf(mapped: MappedFile): readonly string[] {
  return mapped.events.map((event) => (event as { id: string }).id)
}

/** An engine that keeps its log in memory and answers as the real one does. */
export class FakeEngine {
  /** id → position. */
  readonly log = new Map<string, number>()
  /** How many events each request had. */
  readonly batches: number[] = []
  received = 0

  take(events: readonly { readonly id: string }[]): EventResult[] {
    this.batches.push(events.length)
    this.received += events.length
    return events.map(({ id }) => {
      const known = this.log.get(id)
      if (known !== undefined) return { status: 'duplicate', id, position: known }
      const position = this.log.size + 1
      this.log.set(id, position)
      return { status: 'appended', id, position }
    })
  }
}

/** A sender into a fake engine; `interfere` may answer a request in its place. */
export function fakeSender(
  engine: FakeEngine,
  interfere: (request: number, events: readonly OutgoingEvent[]) => SendOutcome | 'lost' | undefined = () =>
    undefined,
): Sender {
  let request = 0
  return {
    target: 'fake',
    close: async () => {},
    send: async (events) => {
      const answer = interfere(request++, events)
      if (answer !== undefined && answer !== 'lost') return answer
      const results = engine.take(events)
      return answer === 'lost' ? { _tag: 'Unavailable', why: 'answer lost' } : { _tag: 'Sent', results }
    },
  }
}
