import { join } from 'node:path'
import { randomId } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { DATABASE_FILE } from './format.ts'
import type { Step } from './group-writer.ts'
import { GroupWriter } from './group-writer.ts'
import type { KeyOperation, KeyWriter } from './key-tables.ts'
import { hexBlob } from './sqlite-file.ts'

const STATEMENTS = [
  'INSERT INTO identity(mac, id, namespace, sealed_value) VALUES (?, ?, ?, ?)',
  'INSERT INTO data_key(key_id, owner, retention, wrapped) VALUES (?, ?, ?, ?)',
  'DELETE FROM data_key WHERE owner = ? AND retention = ?',
  'DELETE FROM identity WHERE id = ?',
  'DELETE FROM data_key WHERE owner = ?',
  'INSERT INTO suppressed(mac, generation, namespace, since) VALUES (?, ?, ?, ?) ON CONFLICT(mac) DO NOTHING',
  `SELECT 1 FROM meta WHERE name = 'writer' AND value = ?`,
  `UPDATE meta SET value = ? WHERE name = 'writer'`,
] as const

const INSERT_IDENTITY = 0
const INSERT_DATA_KEY = 1
const DELETE_DATA_KEY = 2
const DELETE_IDENTITY = 3
const DELETE_DATA_KEYS = 4
const INSERT_SUPPRESSED = 5
const IS_OURS = 6
const TAKE_OVER = 7

/**
 * Writes `keys.sqlite` on a thread of its own. A store has one writer: opening a second one stops the first at its
 * next transaction, so that two never give the same person different ids.
 */
export class SqliteKeyWriter implements KeyWriter {
  readonly #writer: GroupWriter

  constructor(directory: string) {
    const token = hexBlob(randomId())
    this.#writer = new GroupWriter({
      path: join(directory, DATABASE_FILE),
      statements: STATEMENTS,
      setUp: [[TAKE_OVER, [token]]],
      fence: [IS_OURS, [token]],
    })
  }

  async write(operations: readonly KeyOperation[]): Promise<{ readonly purged: boolean }> {
    const purge = operations.some(({ kind }) => kind === 'destroy_key' || kind === 'destroy_owner')
    const answer = await this.#writer.write({ steps: operations.flatMap(stepsOf), purge })
    switch (answer._tag) {
      case 'Written':
        return { purged: answer.purged }
      case 'DiskFull':
        throw new KeyStoreError({ _tag: 'DiskFull' })
      case 'Fenced':
        throw new KeyStoreError({ _tag: 'Stopped', cause: 'another process has opened it for writing' })
      case 'Failed':
        throw new KeyStoreError({ _tag: 'Stopped', cause: answer.cause })
    }
  }

  close(): Promise<void> {
    return this.#writer.close()
  }
}

function stepsOf(operation: KeyOperation): readonly Step[] {
  switch (operation.kind) {
    case 'identity': {
      const { mac, id, namespace, sealedValue } = operation
      return [[INSERT_IDENTITY, [mac, hexBlob(id), namespace, sealedValue]]]
    }
    case 'data_key': {
      const { keyId, owner, retention, wrapped } = operation
      return [[INSERT_DATA_KEY, [hexBlob(keyId), hexBlob(owner), retention, wrapped]]]
    }
    case 'destroy_key':
      return [[DELETE_DATA_KEY, [hexBlob(operation.owner), operation.retention]]]
    case 'destroy_owner': {
      const { owner, mark, since } = operation
      const steps: Step[] = [
        [DELETE_IDENTITY, [hexBlob(owner)]],
        [DELETE_DATA_KEYS, [hexBlob(owner)]],
      ]
      if (mark !== undefined) {
        steps.push([INSERT_SUPPRESSED, [mark.mac, mark.generation, mark.namespace, since]])
      }
      return steps
    }
  }
}
