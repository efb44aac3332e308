import { gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import type { CompiledMapping } from '../../api/import/mapper.ts'
import { catalogue } from '../../engine/events/catalogue.ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { bundled, type Files, mapFile } from './support.ts'

/** What every test of a bundled mapping checks beside the events that it expects. */

export interface Sent {
  readonly id: string
  readonly type: string
  readonly subject?: string
  readonly data: Readonly<Record<string, unknown>>
}

/** The events of a file with this text; the catalogue takes them all, and a second import gives the same. */
export async function mapRows(files: Files, name: string, text: string) {
  const mapping = await bundled(name)
  const path = files.write(`${name}.csv.gz`, gzipSync(text))
  const result = await mapFile(path, mapping)
  const prelude = mapping.createMapper().prelude.map((event) => JSON.parse(event.json) as Sent)
  for (const event of [...prelude, ...(result.events as Sent[])]) checkAgainstCatalogue(event)
  const again = await mapFile(path, mapping)
  expect(again.events).toEqual(result.events)
  checkIds(mapping, result.events as Sent[])
  return { ...result, events: result.events.map(withoutHash), prelude }
}

function checkAgainstCatalogue(event: Sent): void {
  const definition = (catalogue as Readonly<Record<string, EventDefinition>>)[event.type]
  expect(definition, event.type).toBeDefined()
  expect(definition?.codec.decode(event.data)._tag, JSON.stringify(event)).toBe('Right')
}

/** No value that the catalogue takes as an identity may stand in what stays in clear for ever. */
function checkIds(mapping: CompiledMapping, events: readonly Sent[]): void {
  const values = new Set(
    events.flatMap(({ type, data }) =>
      ((catalogue as Readonly<Record<string, EventDefinition>>)[type]?.identities ?? []).map(
        ([, path]) => data[path],
      ),
    ),
  )
  expect(mapping.mapping.events.length).toBeGreaterThan(0)
  for (const { id, subject } of events) {
    for (const value of values) {
      if (typeof value === 'string') expect(`${id} ${subject ?? ''}`).not.toContain(value)
    }
  }
}

const HASH = /[0-9a-f]{32}/

/** Hashes are shown as `#`; that they differ is another test's matter. */
function withoutHash(event: unknown): unknown {
  return { ...(event as Sent), id: (event as Sent).id.replace(HASH, '#') }
}
