import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'

/** How a front treats a request: it answers itself, or hands on and answers, or hands on and hangs up unanswered. */
export type Treatment = { readonly status: number; readonly retryAfter?: string } | 'hand_on' | 'lose_answer'

/** A server in front of the engine, on a free port of loopback, that treats requests by turns as it is told. */
export class FlakyFront {
  readonly #target: string
  readonly #turns: Treatment[]
  readonly #server: Server
  /** What each request was answered; 0 where it was left without. */
  readonly statuses: number[] = []

  /** Behind the last turn everything is handed on. */
  constructor(target: string, turns: readonly Treatment[]) {
    this.#target = target
    this.#turns = [...turns]
    this.#server = createServer((request, response) => void this.#treat(request, response))
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('the front has no address')
    return `http://127.0.0.1:${address.port}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #treat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request)
    const turn = this.#turns.shift() ?? 'hand_on'
    if (typeof turn === 'object') {
      this.statuses.push(turn.status)
      response.writeHead(turn.status, turn.retryAfter === undefined ? {} : { 'retry-after': turn.retryAfter })
      response.end()
      return
    }
    const { authorization = '', 'content-type': type = 'application/json' } = request.headers
    const headers = { authorization, 'content-type': type }
    const answer = await fetch(`${this.#target}${request.url}`, { method: 'POST', body, headers })
    if (turn === 'lose_answer') {
      this.statuses.push(0)
      request.socket.destroy()
      return
    }
    this.statuses.push(answer.status)
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  }
}

async function readAll(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  return new Uint8Array(Buffer.concat(chunks))
}
