import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as timer } from 'node:timers/promises'

/** What becomes of bytes on their way. */
export type Weather =
  | { readonly kind: 'clear' }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** So many bytes at a time, a millisecond apart. */
  | { readonly kind: 'narrow'; readonly bytes: number }
  /** Nothing arrives any more. As TCP loses nothing in between, a connection that this befell is cut when it clears up. */
  | { readonly kind: 'swallowed' }

/** A TCP proxy on a free port of loopback that cuts what goes through it, delays or throttles it, or lets nobody through. */
export class CuttingProxy {
  readonly #target: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #swallowed = new Set<Socket>()
  isAway = false
  port = 0
  #weather: Weather = { kind: 'clear' }

  constructor(target: number) {
    this.#target = target
    this.#server = createServer((socket) => this.#pass(socket))
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('the proxy has no address')
    this.port = address.port
    return this
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  set weather(weather: Weather) {
    this.#weather = weather
    if (weather.kind === 'swallowed') return
    for (const socket of this.#swallowed) socket.destroy()
    this.#swallowed.clear()
  }

  /** Changes the weather and cuts, as the numbers from 0 to 1 say, until it is told to stop; then it is clear. */
  async storm(random: () => number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const turn = random()
      if (turn < 0.2) this.cut()
      this.weather = weatherOf(turn, random)
      await timer(10 + random() * 60)
    }
    this.weather = { kind: 'clear' }
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(near: Socket): void {
    if (this.isAway) {
      near.destroy()
      return
    }
    const far = connect(this.#target, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
      void this.#carry(socket, other)
    }
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from) {
        if (!(chunk instanceof Buffer)) throw new Error('no bytes')
        await this.#bring(chunk, from, to)
      }
      to.end()
    } catch {
      // Cut.
    }
  }

  async #bring(chunk: Buffer, from: Socket, to: Socket): Promise<void> {
    const weather = this.#weather
    switch (weather.kind) {
      case 'clear':
        return write(to, chunk)
      case 'slow':
        await timer(weather.delayMs)
        return write(to, chunk)
      case 'narrow':
        for (let start = 0; start < chunk.length; start += weather.bytes) {
          await write(to, chunk.subarray(start, start + weather.bytes))
          if (this.#weather === weather) await timer(1)
        }
        return
      case 'swallowed':
        this.#swallowed.add(from)
        return
    }
  }
}

function weatherOf(turn: number, random: () => number): Weather {
  if (turn < 0.4) return { kind: 'clear' }
  if (turn < 0.6) return { kind: 'slow', delayMs: 1 + random() * 15 }
  return turn < 0.8 ? { kind: 'narrow', bytes: 200 + Math.floor(random() * 2_000) } : { kind: 'swallowed' }
}

/** At the pace of whoever reads. */
async function write(to: Socket, chunk: Buffer): Promise<void> {
  if (to.destroyed || to.write(chunk)) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      to.off('drain', done)
      to.off('close', done)
      resolve()
    }
    to.on('drain', done)
    to.on('close', done)
  })
}
