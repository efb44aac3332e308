/**
 * Theorem: the page and its files are served as they stand in api/console, with types and a policy that let a browser run
 * nothing else and ask nobody else; to anybody, since they hold no data; and no address reaches another file.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { World } from './world.ts'
import { createWorld, READ_TOKEN, WRITE_KEY } from './world.ts'

const DIRECTORY = join(import.meta.dirname, '..', '..', 'api', 'console')

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

const files = readdirSync(DIRECTORY)
const served = files.filter((name) => Object.keys(TYPES).includes(extensionOf(name)))

function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const get = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  world.app.inject({ url, headers: { ...headers } })

describe('the page', () => {
  it('is served to anybody, and holds no secret', async () => {
    const answer = await get('/')
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(answer.body).toBe(readFileSync(join(DIRECTORY, 'index.html'), 'utf8'))
    expect(answer.body).not.toContain(READ_TOKEN)
    expect(answer.body).not.toContain(WRITE_KEY)
  })

  it('may run and load only our own files, and makes no markup of text', async () => {
    const { headers } = await get('/')
    const policy = new Map(
      String(headers['content-security-policy'])
        .split('; ')
        .map((directive) => [directive.split(' ', 1)[0], directive.split(' ').slice(1).join(' ')] as const),
    )
    expect(Object.fromEntries(policy)).toEqual({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self'",
      'connect-src': "'self'",
      'img-src': "'self' data:",
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
      'require-trusted-types-for': "'script'",
      'trusted-types': "'none'",
    })
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    })
  })

  it('names only files that are served, and none elsewhere', async () => {
    const { body } = await get('/')
    const named = [...body.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, address]) => address ?? '')
    expect(named).toContain('/console/main.js')
    for (const address of named) expect((await get(address)).statusCode, address).toBe(200)
    expect(body).not.toMatch(/\sstyle=|\son[a-z]+=|<script>|javascript:/)
  })
})

describe('its files', () => {
  it('are enough to tell', () => {
    expect(served.length).toBeGreaterThan(15)
  })

  it.each(served)('%s', async (name) => {
    const answer = await get(`/console/${name}`)
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toBe(TYPES[extensionOf(name)])
    expect(answer.headers['x-content-type-options']).toBe('nosniff')
    expect(answer.body).toBe(readFileSync(join(DIRECTORY, name), 'utf8'))
  })

  it('import only each other', () => {
    for (const name of served.filter((file) => file.endsWith('.js'))) {
      const text = readFileSync(join(DIRECTORY, name), 'utf8')
      const imports = [...text.matchAll(/^import [^;]*?'([^']+)'$/gm)].map(([, path]) => path ?? '')
      for (const path of imports) expect(served, `${name} imports ${path}`).toContain(path.replace('./', ''))
    }
  })

  it('never make markup of a text', () => {
    const sinks = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function/
    for (const name of served.filter((file) => file.endsWith('.js'))) {
      expect(readFileSync(join(DIRECTORY, name), 'utf8'), name).not.toMatch(sinks)
    }
  })

  it.each([
    '/console/index.html',
    '/console/tsconfig.json',
    '/console/answers.d.ts',
    '/console/',
    '/console',
    '/console/..',
    '/console/../security.ts',
    '/console/..%2fsecurity.ts',
    '/console/%2e%2e/%2e%2e/package.json',
    '/console/..%5csecurity.ts',
    '/console//etc/passwd',
    '/console/main.js%00.svg',
    '/console/main.js/',
    '/index.html',
    '/package.json',
  ])('%s is nothing', async (address) => {
    const answer = await getAsWritten(address)
    expect([400, 404]).toContain(answer.statusCode)
    expect(answer.headers['content-type']).toContain('application/problem+json')
  })
})

/** Over a socket: whoever builds requests from addresses takes their `..` away. */
async function getAsWritten(path: string): Promise<IncomingMessage> {
  if (!world.app.server.listening) await world.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = world.app.server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer))
    })
    asked.on('error', reject).end()
  })
}

describe('caching', () => {
  it.each(['/', '/console/main.js', '/console/base.css'])(
    '%s is asked for anew and answered in short',
    async (url) => {
      const first = await get(url)
      expect(first.headers['cache-control']).toBe('private, no-cache')
      const etag = String(first.headers.etag)
      expect(etag).toMatch(/^"[\w-]{27}"$/)
      const again = await get(url, { 'if-none-match': etag })
      expect(again.statusCode).toBe(304)
      expect(again.body).toBe('')
      expect((await get(url, { 'if-none-match': '"other"' })).statusCode).toBe(200)
    },
  )

  it('tells files apart', async () => {
    const tags = await Promise.all(served.map(async (name) => (await get(`/console/${name}`)).headers.etag))
    expect(new Set(tags).size).toBe(served.length)
  })
})

describe('methods and hosts', () => {
  it('the page can be read, not written', async () => {
    expect((await world.app.inject({ method: 'HEAD', url: '/' })).statusCode).toBe(200)
    const posted = await world.app.inject({ method: 'POST', url: '/' })
    expect(posted.statusCode).toBe(405)
    expect(posted.headers['allow']).toContain('GET')
  })

  it('a name that is not ours gets no page', async () => {
    expect((await get('/', { host: 'evil.example' })).statusCode).toBe(421)
  })

  it('is no part of the documented api', async () => {
    const { paths } = (await get('/docs/json')).json<{ paths: Readonly<Record<string, unknown>> }>()
    expect(Object.keys(paths).filter((path) => path === '/' || path.startsWith('/console'))).toEqual([])
  })
})
