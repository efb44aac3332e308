import type { ErasureRecords, StoredErasure } from '../../api/erasure/operations-file.ts'
import type { QuarantinedBody } from '../../engine/intake/quarantine.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { KeyDisk } from './keys.ts'
import type { LogDisk } from './log-disk.ts'

/** What outlives the process: everything that was durable when it ended. */
export class Disk {
  readonly log: LogDisk
  readonly keys: KeyDisk
  readonly bodies = new Map<string, QuarantinedBody>()
  readonly erasures: ErasureRecords = memoryRecords()
  readonly store = createMemoryStore()

  constructor(seed: number, log: LogDisk) {
    this.log = log
    this.keys = new KeyDisk(seed)
  }
}

function memoryRecords(): ErasureRecords {
  const records = new Map<string, StoredErasure>()
  let forgetting: readonly string[] = []
  const inState = (...states: readonly StoredErasure['state'][]) =>
    [...records.values()].filter(({ state }) => states.includes(state))
  return {
    get: (number) => records.get(number),
    list: () => [...records.values()].reverse(),
    open: () => inState('scheduled', 'executing'),
    done: () => inState('done').length,
    put: (erasure) => void records.set(erasure.number, structuredClone(erasure)),
    forgetting: () => forgetting,
    putForgetting: (ids) => {
      forgetting = ids
    },
    close: () => undefined,
  }
}
