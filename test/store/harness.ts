import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { StoreReader } from '../../engine/store/store.ts'
import type { Harness } from './contract.ts'

export function openMemory(): Harness {
  const { writer, reader } = createMemoryStore()
  return { writer, reader, close: async () => writer.close() }
}

export function openSqlite(): Harness {
  const { path, remove } = temporaryFile()
  const writer = openSqliteWriter(path)
  const readers: StoreReader[] = []
  return {
    writer,
    reader: (specs) => {
      const reader = openSqliteReader(path, { specs, threads: 1 })
      readers.push(reader)
      return reader
    },
    close: async () => {
      await Promise.all(readers.map((reader) => reader.close()))
      writer.close()
      remove()
    },
  }
}

export function temporaryFile(): { readonly path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-store-'))
  return {
    path: join(directory, 'read-models.sqlite'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
