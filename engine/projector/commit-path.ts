import type { Head } from '../log/log.ts'
import { type BuildFold, freezeAll } from './build-fold.ts'
import type { Committer } from './committer.ts'
import type { Folded } from './folded.ts'
import type { IdentityFold } from './identity-fold.ts'
import type { Batch, Pace } from './pace.ts'
import type { Progress } from './projector.ts'

interface CommitParts {
  readonly folded: Folded
  readonly identity: IdentityFold
  readonly pace: Pace
  readonly committer: Committer
  readonly folds: () => readonly BuildFold[]
  readonly onCommit: (progress: Progress) => void
  /** Profiles whose members changed since the last commit. */
  readonly onRegrouped: (profiles: ReadonlySet<string>) => void
}

/** From what is folded to a commit in the store, and to the report of it. */
export class CommitPath {
  readonly #parts: CommitParts

  constructor(parts: CommitParts) {
    this.#parts = parts
  }

  /** How long what is folded may still gather. */
  untilMs(): number {
    const { pace, folded } = this.#parts
    return pace.untilCommitMs(folded.batch, folded.position)
  }

  /** For about `sliceMs`; begins a commit if it is time. */
  goOn(sliceMs: number): void {
    const { committer, folded } = this.#parts
    if (committer.isWriting) committer.advance(sliceMs)
    else if (folded.batch.events > 0 && this.untilMs() <= 0) this.begin()
  }

  /** Everything that is folded is in the store. */
  all(): void {
    const { committer, folded } = this.#parts
    if (folded.batch.events > 0) this.begin()
    committer.finish()
  }

  begin(): void {
    const { committer, folded, identity, pace, folds, onRegrouped } = this.#parts
    committer.finish()
    const { head, mark } = folded
    const batch = folded.takeBatch()
    identity.settle()
    onRegrouped(identity.regrouped)
    const { writes, poison, size } = freezeAll(folds(), identity.grouping, identity.regrouped)
    const commit = {
      builds: folds().map((fold) => fold.build),
      ...head,
      mark,
      writes,
      poison,
      // Last: until then the grouping tells of changes that the store doesn't hold yet.
      ...identity.takeChanges(),
    }
    committer.begin(commit, size, (workMs) => {
      pace.committed(head.position, workMs)
      this.report(head, batch, workMs)
    })
  }

  report(head: Head, batch: Batch, commitMs: number): void {
    this.#parts.onCommit(this.progress(head, batch, commitMs))
  }

  progress({ position, received }: Head, batch: Batch, commitMs: number): Progress {
    const nextDue = this.#parts
      .folds()
      .map((fold) => fold.nextDue())
      .reduce(
        (least, due) => (due !== undefined && (least === undefined || due < least) ? due : least),
        undefined,
      )
    return {
      position,
      received,
      nextDue,
      events: batch.events,
      commitMs,
      firstReceived: batch.firstReceived,
      writes: this.#parts.committer.takeWritten(),
    }
  }
}
