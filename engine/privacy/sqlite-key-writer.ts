import { join } from 'node:path'
import { randomId } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { DATABASE_FILE } from './format.ts'
import { GroupWriter } from './group-writer.ts'
import type { KeyOperation, KeyWriter } from './key-tables.ts'
import { StepPacker } from './packed-steps.ts'
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
    const packer = new StepPacker()
    for (const operation of operations) pack(operation, packer)
    const answer = await this.#writer.writePacked({ packed: packer.finish(), purge, counted: false })
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

function pack(operation: KeyOperation, packer: StepPacker): void {
  switch (operation.kind) {
    case 'identity':
      packer.begin(INSERT_IDENTITY, 4)
      packer.blob(operation.mac)
      packer.hex(operation.id)
      packer.text(operation.namespace)
      packer.blob(operation.sealedValue)
      return
    case 'data_key':
      packer.begin(INSERT_DATA_KEY, 4)
      packer.hex(operation.keyId)
      packer.hex(operation.owner)
      packer.text(operation.retention)
      packer.blob(operation.wrapped)
      return
    case 'destroy_key':
      packer.begin(DELETE_DATA_KEY, 2)
      packer.hex(operation.owner)
      packer.text(operation.retention)
      return
    case 'destroy_owner':
      packDestroyed(operation, packer)
      return
  }
}

function packDestroyed(
  { owner, mark, since }: Extract<KeyOperation, { kind: 'destroy_owner' }>,
  packer: StepPacker,
): void {
  for (const statement of [DELETE_IDENTITY, DELETE_DATA_KEYS]) {
    packer.begin(statement, 1)
    packer.hex(owner)
  }
  if (mark === undefined) return
  packer.begin(INSERT_SUPPRESSED, 4)
  for (const parameter of [mark.mac, mark.generation, mark.namespace, since]) packer.add(parameter)
}
