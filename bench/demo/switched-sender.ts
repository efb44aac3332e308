import type { Delivery } from '../simulator/noise.ts'
import type { Fate, Sender } from '../simulator/sender.ts'
import { httpSender, natsSender } from '../simulator/sender.ts'
import type { RunningEngine } from './engine.ts'

/** The way to whatever engine runs now: NATS where there is one, else HTTP. */
export class SwitchedSender implements Sender {
  #current: Sender | undefined
  #to = ''

  /** A NATS connection outlives the engine behind it, and is kept as long as its server is the same. */
  async use(engine: Pick<RunningEngine, 'nats' | 'url' | 'writeKey' | 'readToken'>): Promise<void> {
    const { nats, url } = engine
    const to = 'url' in nats ? nats.url : url
    if (to === this.#to) return
    const before = this.#current
    this.#current = 'url' in nats ? await natsSender(nats.url) : httpSender(url, engine)
    this.#to = to
    await before?.close()
  }

  async send(batch: readonly Delivery[]): Promise<readonly Fate[]> {
    if (this.#current === undefined) throw new Error('there is no engine yet')
    return this.#current.send(batch)
  }

  async close(): Promise<void> {
    await this.#current?.close()
  }
}
