import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { FakeEngine, type Files, mappingDocument, temporaryFiles } from '../import/support.ts'

/** The command line as a process of its own, against a server that answers what a test says. */

export const CLI = join(import.meta.dirname, '..', '..', 'api', 'cli.ts')

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  /** SIGINT when standard output or standard error first matches. */
  readonly interruptAt?: RegExp
}

/** Method and path (without its query) → status and body; what is absent is 404. */
export type Routes = Record<
  string,
  (query: URLSearchParams, body: unknown) => [status: number, body: unknown]
>

export class World {
  readonly files: Files = temporaryFiles()
  engine = new FakeEngine()
  routes: Routes = {}
  authorizations = new Set<string | undefined>()
  readonly #server: Server = createServer((request, response) => this.#answer(request, response))
  #url = ''

  async open(): Promise<void> {
    this.files.write('credentials.json', JSON.stringify({ writeKey: 'kept-write', readToken: 'kept-read' }))
    this.files.write('mapping.json', JSON.stringify(mappingDocument()))
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
    this.files.remove()
  }

  /** An empty engine that takes events and answers nothing else. */
  reset(): void {
    this.engine = new FakeEngine()
    this.authorizations = new Set()
    this.routes = {
      'POST /v1/events': (_, body) => [
        200,
        { position: 1, results: this.engine.take(body as { id: string }[]) },
      ],
    }
  }

  get env(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HEADWATER_URL: this.#url,
      HEADWATER_DATA: this.files.directory,
    }
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const child = spawn(process.execPath, [CLI, ...args], { env: { ...this.env, ...options.env } })
    const seen = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (chunk: Buffer) => {
        const before = options.interruptAt?.test(seen[stream])
        seen[stream] += chunk.toString()
        if (before === false && options.interruptAt?.test(seen[stream])) child.kill('SIGINT')
      })
    }
    child.stdin.end(options.stdin ?? '')
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...seen })))
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    this.authorizations.add(request.headers.authorization)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const at = new URL(request.url ?? '/', 'http://x')
      const text = Buffer.concat(chunks).toString()
      const route = this.routes[`${request.method} ${at.pathname}`]
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      const [status, reply] = route?.(at.searchParams, body) ?? [404, { title: 'There is nothing here' }]
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply))
    })
  }
}
