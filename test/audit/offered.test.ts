// Theorem: a running audit offers over HTTP what https://c2sp.org/tlog-tiles asks for, with its content types and caching,
// to whoever may read; the command line makes bundles of it that verify offline against a tree head kept elsewhere,
// and says exactly how much was verified; tree heads reach their outlets, the newest at last.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTreeHeadPublisher, webhookOutlet } from '../../api/audit/tree-head-publisher.ts'
import type { Terminal } from '../../api/cli/command.ts'
import { main } from '../../api/cli.ts'
import type { AuditThread, SignedTreeHead } from '../../engine/audit/audit.ts'
import { startAudit } from '../../engine/audit/audit-thread.ts'
import { splitBundle } from '../../engine/audit/entries.ts'
import { leafHash, openTreeHead, parseVerifierKey } from '../../engine/audit/verify.ts'
import { systemClock } from '../../engine/clock.ts'
import type { EmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { AS_READER, AS_WRITER, createWorld, READ_TOKEN, type World } from '../api/world.ts'
import { appends } from '../log/events.ts'
import { opened } from '../log/support.ts'
import { anyEvents } from './world.ts'

const EVENTS = 300
const directory = mkdtempSync(join(tmpdir(), 'headwater-audit-'))
const at = (name: string): string => join(directory, name)
let log: EmbeddedLog
let audit: AuditThread
let world: World
let url: string

beforeAll(async () => {
  log = await opened(at('log'), {})
  await log.append(appends(...anyEvents(EVENTS)))
  audit = startAudit({
    ...{ directory, headSignal: log.headSignal, origin: 'headwater/test', signingKey: undefined },
    ...{ onHead: () => {}, onRefusal: () => {}, onFailure: () => {} },
  })
  await signed(EVENTS)
  world = await createWorld({ audit })
  url = await world.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await world.close()
  await audit.close()
  await log.close()
  rmSync(directory, { recursive: true })
})

async function signed(size: number): Promise<SignedTreeHead> {
  for (let turn = 0; turn < 1_000; turn++) {
    const head = audit.treeHead()
    if (head !== undefined && head.size >= size) return head
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('nothing was signed')
}

const get = (path: string, headers: Record<string, string> = AS_READER) =>
  world.app.inject({ url: `/v1/audit/${path}`, headers })

describe('HTTP', () => {
  test('checkpoint and key', async () => {
    const [checkpoint, key] = [await get('checkpoint'), await get('key')]
    expect(checkpoint.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(checkpoint.headers['cache-control']).toContain('no-cache')
    expect(openTreeHead(checkpoint.body, parseVerifierKey(key.body.trim())).size).toBe(EVENTS)
  })

  test('tiles and bundles, full and partial, immutable; their hashes agree', async () => {
    for (const [place, width] of [
      ['000', 256],
      ['001.p/44', 44],
      ['000.p/9', 9],
    ] as const) {
      const [tile, bundle] = [await get(`tile/0/${place}`), await get(`tile/entries/${place}`)]
      expect(tile.headers['content-type']).toBe('application/octet-stream')
      expect(tile.headers['cache-control']).toContain('immutable')
      const hashes = (splitBundle(bundle.rawPayload) ?? []).map(leafHash)
      expect(hashes).toHaveLength(width)
      expect(Buffer.concat(hashes)).toEqual(tile.rawPayload)
    }
    expect((await get('tile/1/000.p/1')).rawPayload).toHaveLength(32)
  })

  test('what the signed tree has not', async () => {
    const absent = [
      'tile/0/001',
      'tile/0/001.p/45',
      'tile/0/002.p/1',
      'tile/1/000',
      'tile/2/000.p/1',
      'tile/0/1',
      'tile/x',
      'tile/../signing.key',
      'tile/0/000.p/0',
      `proof/${EVENTS + 1}`,
      'proof/0',
      'proof/x',
    ]
    for (const path of absent) expect((await get(path)).statusCode, path).toBe(404)
    for (const path of [
      'consistency',
      'consistency?from=0',
      'consistency?from=301',
      'consistency?from=5&to=4',
      'proof/5?size=4',
      'proof/5?size=301',
      'checkpoint?x=1',
    ])
      expect((await get(path)).statusCode, path).toBe(400)
  })

  test('nobody but readers', async () => {
    for (const path of ['checkpoint', 'key', 'tile/0/000', 'proof/1', 'consistency?from=1']) {
      expect((await get(path, {})).statusCode).toBe(401)
      expect((await get(path, AS_WRITER)).statusCode).toBe(403)
    }
  })
})

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(...args: string[]): Promise<Ran> {
  const lines = { out: [] as string[], err: [] as string[] }
  const plain = (text: string): string => text
  const terminal: Terminal = {
    env: {
      HEADWATER_URL: url,
      HEADWATER_READ_TOKEN: READ_TOKEN,
      HEADWATER_WRITE_KEY: 'unused-write-key-000',
      HEADWATER_DATA: directory,
    },
    clock: systemClock,
    out: (line) => void lines.out.push(line),
    err: (line) => void lines.err.push(line),
    style: { bold: plain, dim: plain, warn: plain },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: (work) => work(new AbortController().signal),
  }
  const code = await main(['audit', ...args], terminal)
  return { code, out: lines.out.join('\n'), err: lines.err.join('\n') }
}

describe('the command line', () => {
  test('keeps a head, proves, verifies; an event that came later needs a newer head, tied to the kept one', async () => {
    const key = (await run('key')).out
    expect((await run('head', '--out', at('kept'))).code).toBe(0)
    await run('prove', '17', '--out', at('one.json'))
    const verified = await run('verify', at('one.json'), '--key', key, '--tree-head', at('kept'))
    expect([verified.code, verified.out]).toEqual([0, expect.stringContaining('VERIFIED against')])
    await log.append(appends(...anyEvents(5, EVENTS)))
    await signed(EVENTS + 5)
    await run('prove', String(EVENTS + 2), '--out', at('late.json'))
    const alone = await run('verify', at('late.json'), '--key', key, '--tree-head', at('kept'))
    expect([alone.code, alone.err]).toEqual([1, expect.stringContaining('nothing ties it')])
    await run('prove', '--from', at('kept'), '--out', at('tie.json'))
    const files = [at('late.json'), at('tie.json')]
    expect((await run('verify', ...files, '--key', key, '--tree-head', at('kept'))).code).toBe(0)
    await run('prove', '17', '--tree-head', at('kept'), '--out', at('old.json'))
    expect((await run('verify', at('old.json'), '--key', key, '--tree-head', at('kept'))).code).toBe(0)
    const newer = await run('prove', String(EVENTS + 2), '--tree-head', at('kept'))
    expect([newer.code, newer.err]).toEqual([1, expect.stringContaining("doesn't hold it")])
  })

  test('without a head from outside it says so, and no more', async () => {
    const key = (await run('key')).out
    await run('prove', '3', '--out', at('three.json'))
    const bundle = await run('verify', at('three.json'), '--key', key)
    const data = await run('verify', '--data', directory)
    for (const { code, out } of [bundle, data]) {
      expect(code).toBe(0)
      expect(out).toContain('Internal consistency only')
      expect(out).not.toContain('VERIFIED')
    }
  })

  test('the whole log against a head from outside, while the engine runs', async () => {
    await run('head', '--out', at('whole'))
    const data = await run('verify', '--data', directory, '--tree-head', at('whole'))
    expect([data.code, data.out]).toEqual([0, expect.stringContaining('VERIFIED against')])
    const json = JSON.parse((await run('verify', '--data', directory, '--json')).out)
    expect(json).toMatchObject({
      verified: true,
      againstOutside: false,
      difference: null,
      tiles: { missing: 0, damaged: 0 },
    })
  })

  test('exit code 1 for what doesn’t verify, 2 for what can’t be understood', async () => {
    const key = (await run('key')).out
    await run('prove', '3', '--out', at('three.json'))
    writeFileSync(
      at('edited.json'),
      readFileSync(at('three.json'), 'utf8').replace('"position":3', '"position":4'),
    )
    expect((await run('verify', at('edited.json'), '--key', key)).code).toBe(1)
    const [made] = (await run('key', '--new', 'headwater/test')).err.split(' ').slice(-1)
    expect((await run('verify', at('three.json'), '--key', made ?? '')).code).toBe(1)
    for (const args of [
      [],
      ['prove'],
      ['prove', 'x'],
      ['prove', '1', '--from', at('kept')],
      ['verify'],
      ['verify', at('three.json')],
      ['verify', at('none'), '--key', key],
      ['verify', '--data', at('none')],
      ['head', '--key', 'x'],
      ['key', '--new', 'a b'],
    ])
      expect((await run(...args)).code, args.join(' ')).toBe(2)
  })
})

describe('publication', () => {
  const heads = [1, 2, 3, 4].map((size) => ({ note: `head ${size}` }) as SignedTreeHead)

  test('the webhook gets the note; a failure is retried, and the newest wins', async () => {
    const got: string[] = []
    const seen = Promise.withResolvers<void>()
    let failures = 2
    const server = createServer((request, response) => {
      request.setEncoding('utf8').on('data', (body: string) => {
        response.statusCode = failures-- > 0 ? 503 : 204
        got.push(`${response.statusCode} ${request.headers['content-type']} ${body}`)
        response.end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const notices: string[] = []
    const publisher = createTreeHeadPublisher({
      outlets: [webhookOutlet(`http://127.0.0.1:${port}/heads`)],
      onNotice: (level) => {
        notices.push(level)
        if (level === 'info') seen.resolve()
      },
      retryMs: 5,
    })
    for (const head of heads) publisher.publish(head)
    await seen.promise
    await publisher.stop()
    server.close()
    expect(got[0]).toBe('503 text/plain; charset=utf-8 head 1')
    expect(got.at(-1)).toBe('204 text/plain; charset=utf-8 head 4')
    expect(got.length).toBeLessThanOrEqual(4)
    expect(notices).toEqual(['warn', 'info'])
  })

  test('an outlet that hangs holds back nobody and nothing but itself', async () => {
    const got: string[] = []
    const hanging = (_: string, signal: AbortSignal) =>
      new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const publisher = createTreeHeadPublisher({
      outlets: [
        { name: 'a hanging one', send: hanging },
        { name: 'another', send: async (note) => void got.push(note) },
      ],
      onNotice: () => {},
    })
    for (const head of heads) {
      publisher.publish(head)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(got).toEqual(heads.map(({ note }) => note))
    await publisher.stop()
  })
})
