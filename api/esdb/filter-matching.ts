import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { workerUrl } from '../../engine/worker-url.ts'

export interface MatchingOrder {
  /** Of a regular expression that can be read. */
  readonly pattern: string
  readonly names: readonly string[]
}

/** Of each name, whether it matches. */
export type MatchingAnswer = readonly boolean[]

/** Some names took longer than a filter may take. */
export class FilterTooSlow extends Error {
  constructor() {
    super("the filter's regular expression takes too long")
    this.name = 'FilterTooSlow'
  }
}

/** A thousand times what an honest expression takes for one order, so that a busy machine isn't taken for a slow one. */
const LIMIT_MS = 1_000
const MEMORY_MB = 64
const MAX_ENDING = 2

/** One thread for all filters, started when the first one needs it; one order at a time. */
class MatchingThread {
  #worker: Promise<Worker> | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #ending = 0

  /** Rejects with `FilterTooSlow`; whoever comes next finds a new thread. */
  match(order: MatchingOrder): Promise<MatchingAnswer> {
    const answer = this.#turn.then(() => this.#ask(order))
    this.#turn = answer.catch(() => undefined)
    return answer
  }

  async #ask(order: MatchingOrder): Promise<MatchingAnswer> {
    if (this.#ending >= MAX_ENDING) throw new FilterTooSlow()
    this.#worker ??= start()
    const worker = await this.#worker
    const late = AbortSignal.timeout(LIMIT_MS)
    try {
      const answered = once(worker, 'message', { signal: late })
      worker.postMessage(order)
      const [answer] = await answered
      return answer
    } catch (error) {
      this.#worker = undefined
      this.#end(worker)
      throw late.aborted ? new FilterTooSlow() : error
    }
  }

  /** A thread that compiles ends when it has compiled; none is begun while several do. */
  #end(worker: Worker): void {
    this.#ending += 1
    void worker.terminate().finally(() => {
      this.#ending -= 1
    })
  }
}

async function start(): Promise<Worker> {
  const resourceLimits = { maxOldGenerationSizeMb: MEMORY_MB }
  const worker = new Worker(workerUrl('filter-worker', import.meta.url), {
    name: 'esdb-filter',
    resourceLimits,
  })
  await once(worker, 'online')
  worker.unref()
  return worker
}

const thread = new MatchingThread()

export function matchInThread(order: MatchingOrder): Promise<MatchingAnswer> {
  return thread.match(order)
}
