import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import type { Appended, LogFailure } from '../log.ts'

export type AppendResult = E.Either<LogFailure, Appended>

/** The results of one `append`, which may span several blocks: it resolves when all of these are settled. */
export class AppendTicket {
  readonly promise: Promise<readonly AppendResult[]>
  readonly #results: AppendResult[] = []
  #resolve: (results: readonly AppendResult[]) => void = () => {}
  /** Blocks under way, and one for the caller who still adds results. */
  #outstanding = 1

  constructor() {
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** Adds the next event's result, final or assumed; answers its index. */
  add(result: AppendResult): number {
    return this.#results.push(result) - 1
  }

  fail(index: number, failure: LogFailure): void {
    this.#results[index] = E.left(failure)
  }

  hold(): void {
    this.#outstanding++
  }

  release(): void {
    assert.ok(this.#outstanding > 0)
    if (--this.#outstanding === 0) this.#resolve(this.#results)
  }
}

/** Results of one ticket that follow each other: nearly always all that it has in the block. */
interface Part {
  readonly ticket: AppendTicket
  readonly first: number
  count: number
}

/** The results of tickets that hang on one block. */
export class BlockTickets {
  readonly #parts: Part[] = []
  #last: Part | undefined

  include(ticket: AppendTicket, index: number): void {
    const last = this.#last
    if (last !== undefined && last.ticket === ticket && last.first + last.count === index) {
      last.count++
      return
    }
    ticket.hold()
    this.#last = { ticket, first: index, count: 1 }
    this.#parts.push(this.#last)
  }

  settle(failure: LogFailure | undefined): void {
    for (const { ticket, first, count } of this.#parts) {
      if (failure !== undefined) for (let i = 0; i < count; i++) ticket.fail(first + i, failure)
      ticket.release()
    }
  }
}
