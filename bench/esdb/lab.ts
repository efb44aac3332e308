import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import { processCpuSeconds } from '../main/proc.ts'
import { type Child, type ClientChild, type ServerChild, startClient, startServer } from './child.ts'
import { startEngine } from './engine.ts'
import type { Order } from './orders.ts'
import type { EsdbPlan } from './plan.ts'

/** A server, and a process with the official client that is connected to it. */
export interface Pair {
  readonly name: string
  readonly server: ServerChild
  readonly client: ClientChild
}

const ANSWER_WITHIN_MS = 60_000
const PROBE_MS = 100
/** Of a core: whoever uses less is at rest. */
const REST_SHARE = 0.12

/** One temporary directory, and the processes that are measured. */
export class EsdbLab {
  readonly plan: EsdbPlan
  readonly clock: Clock
  readonly directory: string
  /** Progress for whoever waits. */
  readonly say: (line: string) => void
  readonly #children: Child[] = []
  readonly #shareMs: number
  #engine: Promise<Pair> | undefined
  #noop: Promise<Pair> | undefined
  #aborted = false

  constructor(plan: EsdbPlan, clock: Clock, say: (line: string) => void) {
    this.plan = plan
    this.clock = clock
    this.say = say
    this.#shareMs = plan.deadlineMs / 6
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), 'headwater-bench-esdb-')))
  }

  get aborted(): boolean {
    return this.#aborted
  }

  /** Tells when a part has had its share of the time, so that those behind it get theirs on a slow machine too. */
  share(): () => boolean {
    const untilMs = this.clock.monotonicMs() + this.#shareMs
    return () => this.#aborted || this.clock.monotonicMs() > untilMs
  }

  engine(): Promise<Pair> {
    this.#engine ??= this.#pair('headwater', startEngine(this.place('engine')))
    return this.#engine
  }

  noop(): Promise<Pair> {
    this.#noop ??= this.#pair('noop', startServer('noop-server.ts'))
    return this.#noop
  }

  /** A server that keeps events in memory, and a client for each name. */
  async kept<Name extends string>(names: readonly Name[]): Promise<readonly Pair[]> {
    const server = this.#child(await startServer('kept-server.ts'))
    return names.map((name) => ({ name, server, client: this.#child(startClient(server.port)) }))
  }

  /** An empty directory. */
  place(name: string): string {
    const path = join(this.directory, name)
    mkdirSync(path)
    return path
  }

  async #pair(name: string, starting: Promise<ServerChild>): Promise<Pair> {
    const server = this.#child(await starting)
    return { name, server, client: this.#child(startClient(server.port)) }
  }

  #child<Kind extends Child>(child: Kind): Kind {
    if (this.#aborted) void child.stop()
    this.#children.push(child)
    return child
  }

  /** Events per second of an order. Whatever the server still does when it has answered (folding) ends first. */
  async rate({ client, server }: Pair, order: Order): Promise<number> {
    if (this.#aborted) throw new Error('the bench is ending')
    const found = await client.obey(order, ANSWER_WITHIN_MS)
    await this.rest(server.pid)
    if (found.kind !== 'rate') throw new Error(`${order.kind} answers no rate`)
    return (found.events * 1_000) / found.ms
  }

  /** Waits until a process is at rest, so that the next turn has the machine to itself. */
  async rest(pid: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + this.plan.restMs
    for (let before = processCpuSeconds(pid); before !== undefined && !this.#aborted; ) {
      await sleep(PROBE_MS)
      const after = processCpuSeconds(pid)
      if (after === undefined || (after - before) * 1_000 <= PROBE_MS * REST_SHARE) return
      if (this.clock.monotonicMs() > untilMs) return
      before = after
    }
  }

  /** Ends what is under way: whoever waits for an answer is told that the process ended. */
  async abort(): Promise<void> {
    this.#aborted = true
    await Promise.all(this.#children.splice(0).map((child) => child.stop()))
  }

  async close(): Promise<void> {
    await this.abort()
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}
