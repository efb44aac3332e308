import * as E from 'fp-ts/lib/Either.js'
import type { Appended, LogFailure } from '../log.ts'
import type { AssignedEvent } from './assign.ts'
import { streamOf } from './codec.ts'
import type { Fed } from './feed.ts'

type Results = readonly E.Either<LogFailure, Appended>[]

/** What was refused, and isn't in the log. */
export interface Refused {
  /** Positions, inclusive. */
  readonly first: number
  readonly last: number
  readonly failure: LogFailure
}

interface Waiting {
  /** Durable when the head is here. */
  readonly upTo: number
  readonly results: Results
  readonly resolve: (results: Results) => void
}

/** The answer to an append that holds something refused, and another that holds nothing of it. */
interface Refusal {
  readonly results: Results
  readonly plain: Results
  readonly resolve: (results: Results) => void
}

/** What has been given a place and isn't durable yet, and who waits for it. */
export class UnderWay {
  readonly #heads = new Map<string, Appended>()
  readonly #uuids = new Map<string, number>()
  #waiting: Waiting[] = []
  #idle: (() => void)[] = []
  #refused: Refusal[] = []
  #durable = 0

  add({ stream, place, uuid }: AssignedEvent): void {
    this.#heads.set(stream, place)
    this.#uuids.set(uuid, (this.#uuids.get(uuid) ?? 0) + 1)
  }

  /** Of a stream with something under way. */
  streamHead(stream: string): Appended | undefined {
    return this.#heads.get(stream)
  }

  hasUuid(uuid: string): boolean {
    return this.#uuids.has(uuid)
  }

  wait(upTo: number, results: Results): Promise<Results> {
    const { promise, resolve } = Promise.withResolvers<Results>()
    this.#waiting.push({ upTo, results, resolve })
    return promise
  }

  /** They are durable, as is everything up to the head. */
  settle(settled: Fed['settled'], head: number): void {
    this.#durable = head
    for (const { uuid, event, place } of settled) {
      const stream = streamOf(event.stream)
      if (this.#heads.get(stream)?.position === place.position) this.#heads.delete(stream)
      const left = (this.#uuids.get(uuid) ?? 0) - 1
      if (left > 0) this.#uuids.set(uuid, left)
      else this.#uuids.delete(uuid)
    }
    const durable = this.#waiting.findIndex(({ upTo }) => upTo > head)
    for (const { results, resolve } of this.#waiting.splice(0, durable < 0 ? this.#waiting.length : durable))
      resolve(results)
    this.#tellIdle()
  }

  /**
   * Whatever isn't durable fails. Whom something was refused is told at the next beginning, or failure: it may have something else to
   * append then, which tells of that.
   */
  fail(failure: LogFailure, refused: readonly Refused[] = []): void {
    this.begin()
    const refusals = new Map<number, LogFailure>()
    for (const { first, last, failure } of refused)
      for (let position = first; position <= last; position++) refusals.set(position, failure)
    for (const { results, resolve } of this.#waiting.splice(0)) {
      const failedWith = (failureAt: (position: number) => LogFailure): Results =>
        results.map((result) =>
          E.isRight(result) && result.right.position > this.#durable
            ? E.left(failureAt(result.right.position))
            : result,
        )
      const plain = failedWith(() => failure)
      if (results.some((result) => E.isRight(result) && refusals.has(result.right.position)))
        this.#refused.push({
          results: failedWith((position) => refusals.get(position) ?? failure),
          ...{ plain, resolve },
        })
      else resolve(plain)
    }
    this.#heads.clear()
    this.#uuids.clear()
    this.#tellIdle()
  }

  /** Events are taken again. */
  begin(): void {
    for (const { results, resolve } of this.#refused.splice(0)) resolve(results)
  }

  /** Events aren't taken for long: whom something was refused is told what the others were told, and may send it again. */
  putOff(): void {
    for (const { plain, resolve } of this.#refused.splice(0)) resolve(plain)
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve)
      this.#tellIdle()
    })
  }

  #tellIdle(): void {
    if (this.#waiting.length > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
