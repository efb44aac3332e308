import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy on a free port of loopback that cuts what goes through it, or lets nobody through. */
export class CuttingProxy {
  readonly #target: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  isAway = false
  port = 0

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
      socket.pipe(other)
    }
  }
}
