import { type Connection, ConnectionFailed } from './connection.ts'

export interface PulseOptions {
  readonly connection: Pick<Connection, 'ask'>
  readonly signal: AbortSignal
  readonly pause: (ms: number) => Promise<void>
  /** Told whenever the server begins to be silent. */
  readonly onSilent: () => void
}

const EVERY_MS = 1_000
const AGAIN_MS = 250
const WITHIN_MS = 1_500
/** One that is missed may be our own slowness. */
const MISSED = 2

/** Whether the server answers, whoever needs it just now: it is asked every second, and is silent after two questions without an answer. */
export class Pulse {
  readonly #options: PulseOptions
  #missed = 0
  #isUrgent = false

  constructor(options: PulseOptions) {
    this.#options = options
  }

  get isSilent(): boolean {
    return this.#missed >= (this.#isUrgent ? 1 : MISSED)
  }

  /** From now on one missed answer is enough. */
  hurry(): void {
    this.#isUrgent = true
    if (this.isSilent) this.#options.onSilent()
  }

  /** Until the signal aborts. */
  async run(): Promise<void> {
    const { signal, pause } = this.#options
    while (!signal.aborted) {
      const before = this.isSilent
      this.#missed = (await this.#isAnswered()) ? 0 : this.#missed + 1
      if (signal.aborted) return
      if (this.isSilent && !before) this.#options.onSilent()
      await pause(this.#missed === 0 ? EVERY_MS : AGAIN_MS)
    }
  }

  async #isAnswered(): Promise<boolean> {
    try {
      await this.#options.connection.ask(WITHIN_MS)
      return true
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      return error.failure._tag !== 'Away'
    }
  }
}
