import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { deliver } from '../simulator/deliver.ts'
import type { Year } from '../simulator/year.ts'
import { simulateYear } from '../simulator/year.ts'
import type { RunningEngine } from './engine.ts'
import { startEngine } from './engine.ts'
import { isEqual, Ledger } from './ledger.ts'
import { sendLive } from './live-sending.ts'
import type { DemoOptions } from './options.ts'
import { DEFAULT_PORT } from './options.ts'
import { removePointer, writePointer } from './pointer.ts'
import { freePort, isFree } from './ports.ts'
import { number, showProgress } from './progress.ts'
import { killStep, storyText } from './story-text.ts'
import { SwitchedSender } from './switched-sender.ts'

/** The demo can't go on; the message is for people. */
export class DemoFailed extends Error {
  /** Where the evidence is, if it is worth keeping. */
  readonly keep: boolean
  constructor(message: string, keep = false) {
    super(message)
    this.name = 'DemoFailed'
    this.keep = keep
  }
}

const BATCH_EVENTS = 500
const BATCHES_IN_FLIGHT = 4
const CAUGHT_UP_EVERY_MS = 50

/**
 * Everything from the temporary directory to its removal. Resolves when `signal` aborts; rejects with `DemoFailed`
 * when the engine doesn't come up, or its log lacks something that it had acknowledged.
 */
export async function runDemo(options: DemoOptions, clock: Clock, signal: AbortSignal): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-demo-'))
  const demo = new Demo(options, clock, directory)
  let keep = false
  try {
    await demo.run(signal)
  } catch (error) {
    keep = error instanceof DemoFailed && error.keep
    throw error
  } finally {
    await demo.close()
    removePointer(process.pid)
    if (keep) console.error(`  the log is kept for a look: ${directory}`)
    else rmSync(directory, { recursive: true, force: true })
  }
}

class Demo {
  readonly #options: DemoOptions
  readonly #clock: Clock
  readonly #directory: string
  readonly #ledger = new Ledger()
  readonly #sender = new SwitchedSender()
  readonly #closing = new AbortController()
  #start: Promise<RunningEngine> | undefined
  #ports: { readonly port: number; readonly natsPort: number } = { port: 0, natsPort: 0 }

  constructor(options: DemoOptions, clock: Clock, directory: string) {
    this.#options = options
    this.#clock = clock
    this.#directory = directory
  }

  async run(signal: AbortSignal): Promise<void> {
    const begun = this.#clock.monotonicMs()
    // Somebody's engine on the usual port is what their command line means.
    const free = await isFree(DEFAULT_PORT)
    this.#ports = {
      port: await freePort(this.#options.port),
      natsPort: await freePort(this.#options.natsPort),
    }
    const starting = this.#engine()
    const year = simulateYear({ ...this.#options, end: this.#clock.nowMs() })
    const engine = await starting
    await this.#sender.use(engine)
    const alone = free && writePointer({ url: engine.url, directory: this.#data, pid: process.pid })
    console.log(this.#opening(year, engine))
    const ended = until(signal)
    await Promise.race([ended, this.#keepRunning(engine, signal), this.#play(year, { begun, alone, signal })])
  }

  /** Whatever the moment is, no engine stays behind: one that is starting is awaited first. */
  async close(): Promise<void> {
    this.#closing.abort()
    const engine = await this.#start?.catch(() => undefined)
    // First: once its NATS server is gone, a connection would try to reach it for a while.
    await this.#sender.close()
    await engine?.stop()
  }

  get #data(): string {
    return join(this.#directory, 'data')
  }

  #engine(): Promise<RunningEngine> {
    const onLog = (line: string): void => console.error(`  engine: ${line}`)
    this.#start = startEngine({ ...this.#ports, directory: this.#data, onLog })
    return this.#start
  }

  #opening({ calendar, deliveries }: Year, engine: RunningEngine): string {
    const day = (time: number) => new Date(time).toISOString().slice(0, 10)
    const way =
      'url' in engine.nats
        ? `NATS, ${engine.nats.url}: the engine answers each batch itself once it is durable`
        : `HTTP, because there is ${engine.nats.off.split(':')[0]}`
    return [
      `A made-up company's year, ${day(calendar.start)} to ${day(calendar.end)}, from five systems: ${number(deliveries.length)} events`,
      `  engine  process ${engine.pid}, ${engine.url}, data in ${this.#data}`,
      `  way in  ${way}`,
    ].join('\n')
  }

  /** Sends the year, tells the story, and goes on with what happens now. */
  async #play(
    year: Year,
    {
      begun,
      alone,
      signal,
    }: { readonly begun: number; readonly alone: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    await this.#send(year, signal)
    if (signal.aborted) return
    const engine = await this.#caughtUp(signal)
    if (engine === undefined) return
    const { acknowledged, duplicates, quarantined } = this.#ledger
    const seconds = ((this.#clock.monotonicMs() - begun) / 1000).toFixed(1)
    console.log(
      `Ready after ${seconds} s: ${number(acknowledged - quarantined)} events are in the log and in every view; ` +
        `${number(duplicates)} that came twice were recognised, ${quarantined} broken ones are in quarantine.\n`,
    )
    const exported = alone ? undefined : `export HEADWATER_URL=${engine.url} HEADWATER_DATA=${this.#data}`
    console.log(
      `${storyText({ story: year.story, engine, data: this.#data, exported })}\n\nCtrl-C ends it and removes the directory.`,
    )
    const { rate, seed } = this.#options
    await sendLive({ year, seed, rate, clock: this.#clock, ...this.#sending(signal) })
  }

  async #send(year: Year, signal: AbortSignal): Promise<void> {
    const sending = { ...this.#sending(signal), batchEvents: BATCH_EVENTS }
    await deliver(year.setup, { ...sending, inFlight: 1 })
    const progress = showProgress(year.deliveries.length)
    let sent = 0
    await deliver(year.deliveries, {
      ...sending,
      inFlight: BATCHES_IN_FLIGHT,
      onAcknowledged: (delivery, fate) => {
        this.#ledger.note(delivery, fate)
        sent += 1
        progress.update(sent)
      },
    })
    progress.stop()
  }

  #sending(signal: AbortSignal) {
    return {
      sender: this.#sender,
      signal: AbortSignal.any([signal, this.#closing.signal]),
      onAcknowledged: this.#ledger.note.bind(this.#ledger),
    }
  }

  /** The engine once its views hold everything acknowledged; undefined once the signal aborts. */
  async #caughtUp(signal: AbortSignal): Promise<RunningEngine | undefined> {
    while (!signal.aborted) {
      const engine = await this.#start
      if (engine !== undefined && (await projected(engine.url)) >= this.#ledger.last) return engine
      await sleep(CAUGHT_UP_EVERY_MS)
    }
    return undefined
  }

  /** Whenever the engine dies: start it again on the same directory and ports, and count. */
  async #keepRunning(first: RunningEngine, signal: AbortSignal): Promise<void> {
    let engine = first
    for (;;) {
      const how = await engine.ended
      if (signal.aborted || this.#closing.signal.aborted) return until(signal)
      console.log(
        `\nThe engine died (${how}) after ${number(this.#ledger.acknowledged)} acknowledged events. ` +
          'Starting it again on the same directory; what was under way is sent again.',
      )
      engine = await this.#engine()
      await this.#sender.use(engine)
      await this.#count(engine)
    }
  }

  async #count(engine: RunningEngine): Promise<void> {
    const log = openEmbeddedReader(join(this.#data, 'log'))
    const count = await this.#ledger.countIn(log).finally(() => log.close())
    const { acknowledged, inLog, repeated } = count
    const equal = isEqual(count)
    const twice = repeated === 0 ? '' : ` · ${number(repeated)} twice`
    const verdict = equal ? 'equal' : 'NOT EQUAL'
    console.log(`  acknowledged ${number(acknowledged)} · in the log ${number(inLog)}${twice} · ${verdict}`)
    if (!equal)
      throw new DemoFailed('THE LOG LACKS EVENTS THAT WERE ACKNOWLEDGED, OR HOLDS SOME TWICE.', true)
    console.log('  each was looked for by source, id and position. Again:\n')
    console.log(killStep(engine.pid).join('\n'))
  }
}

async function projected(url: string): Promise<number> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) })
    const status = (await response.json()) as { readonly projected?: unknown }
    return typeof status.projected === 'number' ? status.projected : -1
  } catch {
    return -1
  }
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
