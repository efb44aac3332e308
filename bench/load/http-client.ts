import { strict as assert } from 'node:assert'
import type { Socket } from 'node:net'
import { connect } from 'node:net'

/** 0 where the connection broke before the answer was whole. */
export type OnAnswer = (status: number, body: Buffer) => void

/**
 * HTTP/1.1 over kept-alive connections, one request at a time on each. Node's own client would cost the two cores more
 * than the server's answering: this one reads the status and `content-length`, and nothing else.
 */
export interface HttpClient {
  /** Waits for a free connection if all are busy. */
  get(path: string, onAnswer: OnAnswer): void
  close(): void
}

export interface HttpClientOptions {
  readonly host: string
  readonly port: number
  readonly connections: number
  readonly token?: string | undefined
}

interface Waiting {
  readonly path: string
  readonly onAnswer: OnAnswer
}

const EMPTY = Buffer.alloc(0)

export async function openHttp(options: HttpClientOptions): Promise<HttpClient> {
  const { host, port } = options
  const queue: Waiting[] = []
  const free: Connection[] = []
  let closed = false
  const next = (connection: Connection): void => {
    const waiting = queue.shift()
    if (waiting === undefined) free.push(connection)
    else connection.get(waiting, next)
  }
  const connections = await Promise.all(
    Array.from({ length: options.connections }, () => connectTo(host, port, headOf(options))),
  )
  free.push(...connections)
  return {
    get(path, onAnswer) {
      assert.ok(!closed, 'the client is closed')
      const connection = free.pop()
      if (connection === undefined) queue.push({ path, onAnswer })
      else connection.get({ path, onAnswer }, next)
    },
    close() {
      closed = true
      for (const connection of connections) connection.end()
    },
  }
}

function headOf({ host, port, token }: HttpClientOptions): string {
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`
  return ` HTTP/1.1\r\nhost: ${host}:${port}\r\n${authorization}\r\n`
}

function connectTo(host: string, port: number, head: string): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(new Connection(socket, head))
    })
  })
}

class Connection {
  readonly #socket: Socket
  readonly #head: string
  #onAnswer: OnAnswer | undefined
  #onFree: ((connection: Connection) => void) | undefined
  #bytes: Buffer = EMPTY
  #broken = false

  constructor(socket: Socket, head: string) {
    this.#socket = socket
    this.#head = head
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => this.#break())
    socket.on('close', () => this.#break())
  }

  get({ path, onAnswer }: Waiting, onFree: (connection: Connection) => void): void {
    this.#onAnswer = onAnswer
    this.#onFree = onFree
    if (this.#broken) setImmediate(() => this.#settle(0, EMPTY))
    else this.#socket.write(`GET ${path}${this.#head}`)
  }

  end(): void {
    this.#onAnswer = undefined
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    const answer = readAnswer(this.#bytes)
    if (answer === undefined) return
    this.#bytes = EMPTY
    this.#settle(answer.status, answer.body)
  }

  #break(): void {
    this.#broken = true
    if (this.#onAnswer !== undefined) this.#settle(0, EMPTY)
  }

  #settle(status: number, body: Buffer): void {
    const [onAnswer, onFree] = [this.#onAnswer, this.#onFree]
    this.#onAnswer = undefined
    onAnswer?.(status, body)
    onFree?.(this)
  }
}

/** undefined until it is whole. With one request at a time nothing follows it. */
export function readAnswer(bytes: Buffer): { readonly status: number; readonly body: Buffer } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = bytes.toString('latin1', 0, end)
  const stated = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  const status = Number(head.slice(9, 12))
  assert.ok(stated !== undefined || status === 204 || status === 304, 'an answer without content-length')
  const from = end + 4
  const to = from + Number(stated ?? 0)
  return bytes.length < to ? undefined : { status, body: bytes.subarray(from, to) }
}
