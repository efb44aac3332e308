import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { etagOf, unchanged } from './answer.ts'

/** The sources are what is served: they stand beside the compiled files in the package, not among them. */
const DIRECTORY = new URL(
  import.meta.url.endsWith('.ts') ? '../console/' : '../../../api/console/',
  import.meta.url,
)

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Nothing but our own files, and no text that becomes markup or script (Trusted Types), whatever customers typed. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'"

/**
 * The page at `/` and its files under `/console/`. They hold no data, so they need no credentials: what the page shows it
 * asks the other routes for, with the token of whoever looks.
 */
export function registerConsole(app: FastifyInstance): void {
  const options = { config: { access: 'open' }, schema: { hide: true } } as const
  const page = fileOf('index.html', 'text/html; charset=utf-8')
  app.get('/', options, async (request, reply) => {
    reply.header('content-security-policy', PAGE_POLICY)
    return send(request, reply, page)
  })
  for (const name of readdirSync(DIRECTORY)) {
    const type = CONTENT_TYPES[extname(name)]
    if (type === undefined) continue
    // A route for each file: no address is ever joined to a path.
    const file = fileOf(name, type)
    app.get(`/console/${name}`, options, async (request, reply) => send(request, reply, file))
  }
}

interface StaticFile {
  readonly type: string
  readonly text: string
  readonly etag: string
}

function fileOf(name: string, type: string): StaticFile {
  const text = readFileSync(new URL(name, DIRECTORY), 'utf8')
  return { type, text, etag: etagOf(text) }
}

function send(request: FastifyRequest, reply: FastifyReply, { type, text, etag }: StaticFile): FastifyReply {
  reply.header('cross-origin-resource-policy', 'same-origin')
  if (unchanged(request, reply, etag)) return reply.send()
  return reply.header('content-type', type).send(text)
}
