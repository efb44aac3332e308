import assert from 'node:assert/strict'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Checkpoints } from './sqlite-checkpoints.ts'

/** Whoever should copy doesn't: then a commit does it (640 MB). */
const OWN_PAGES = 160_000

/** Has the WAL copied by others, in time. */
export class WalWatch {
  readonly #checkpoints: Checkpoints
  readonly #pages: StatementSync

  constructor(db: DatabaseSync, checkpoints: Checkpoints) {
    assert(checkpoints.fromPages * 2 < OWN_PAGES, 'others have time for it')
    db.exec(`PRAGMA wal_autocheckpoint = ${OWN_PAGES}`)
    this.#checkpoints = checkpoints
    // It copies nothing, and tells.
    this.#pages = db.prepare('PRAGMA wal_checkpoint(NOOP)')
  }

  committed(): void {
    const found = this.#pages.get()
    const [written, copied] = [Number(found?.log), Number(found?.checkpointed)]
    if (written >= this.#checkpoints.fromPages && copied < written) this.#checkpoints.ask()
  }
}
