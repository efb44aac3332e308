/**
 * Theorem: a page of any other site, in a real browser, sends what analytics.js sends, by fetch and by beacon, and asks for
 * its settings; everything is in the log once, and the browser has nothing to complain about.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeBrowser, launchBrowser } from '../support/browser.ts'
import { EngineProcess, freePort, WRITE_KEY } from '../support/engine-process.ts'

const WITHOUT_NATS = {
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !/sbin|local/.test(entry))
    .join(delimiter),
}

/** What a tracker on the page does, and no more. */
const PAGE = `<!doctype html><title>A shop</title><link rel="icon" href="data:,"><h1>Mugs</h1><script>
  async function ship({ url, body, headers }) {
    const post = { method: 'POST', keepalive: true, headers: headers ?? { 'Content-Type': 'text/plain' } }
    const answer = await (body === undefined ? fetch(url) : fetch(url, { ...post, body: JSON.stringify(body) }))
    return { status: answer.status, json: await answer.json() }
  }
  const beacon = ({ url, body }) => navigator.sendBeacon(url, JSON.stringify(body))
  const beaconOnLeaving = (shipment) => void addEventListener('pagehide', () => beacon(shipment))
</script>`

/** A site of its own origin; its page does nothing until it is told. */
async function openSite(): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(PAGE)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the site has no address')
  return { server, url: `http://localhost:${address.port}/mugs?utm_source=mail` }
}

interface Shipment {
  readonly url: string
  /** A body: posted; none: asked for. */
  readonly body?: object | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

interface Answer {
  readonly status: number
  readonly json: Readonly<Record<string, unknown>>
}

/** Called on the page, by name. */
const onPage = <T>(page: Page, name: string, shipment: Shipment): Promise<T> =>
  page.evaluate<T>(`${name}(${JSON.stringify(shipment)})`)

const ship = (page: Page, shipment: Shipment) => onPage<Answer>(page, 'ship', shipment)

interface Logged {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly data: Readonly<Record<string, unknown>>
}

describeBrowser('a page of another origin', () => {
  let directory: string
  let engine: EngineProcess
  let site: Awaited<ReturnType<typeof openSite>>
  let browser: Browser
  let page: Page
  const complaints: string[] = []

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'headwater-tracking-'))
    engine = new EngineProcess(await freePort(), join(directory, 'data'), WITHOUT_NATS)
    ;[site, browser] = await Promise.all([openSite(), launchBrowser(), engine.start()])
    page = await browser.newPage()
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('requestfailed', (request) =>
      complaints.push(`${request.url()}: ${request.failure()?.errorText}`),
    )
    await page.goto(site.url)
  })

  afterAll(async () => {
    await browser?.close()
    site?.server.close()
    await engine?.kill('SIGTERM')
    rmSync(directory, { recursive: true, force: true })
  })

  const logged = async (): Promise<ReadonlyMap<string, Logged>> => {
    const { data } = await engine.get<{ data: readonly Logged[] }>('/v1/events?limit=500')
    const byId = new Map(data.map((event) => [event.id, event]))
    expect(byId.size).toBe(data.length)
    return byId
  }

  const writeKey = `${WRITE_KEY}:shop`

  /** As analytics.js fills it in. */
  const message = (type: string, messageId: string, more: object) => ({
    timestamp: new Date().toISOString(),
    integrations: {},
    type,
    anonymousId: 'an-1',
    userId: null,
    context: {
      page: { path: '/mugs', referrer: '', search: '?utm_source=mail', title: 'A shop', url: site.url },
      userAgent: 'Mozilla/5.0',
      locale: 'en-GB',
      campaign: { source: 'mail' },
      library: { name: 'analytics.js', version: 'npm:next-1.70.0' },
    },
    messageId,
    writeKey,
    sentAt: new Date().toISOString(),
    _metadata: { bundled: ['Segment.io'], unbundled: [], bundledIds: [] },
    ...more,
  })

  test('asks for its settings and sends where they say: by fetch, as text/plain, with no preflight', async () => {
    const methods: string[] = []
    page.on('request', (request) => methods.push(request.method()))
    const settings = await ship(page, { url: `${engine.url}/v1/projects/${writeKey}/settings` })
    expect(settings.status).toBe(200)
    const segment = (settings.json['integrations'] as Record<string, Record<string, string>>)['Segment.io']
    const base = `${segment?.['protocol']}://${segment?.['apiHost']}`
    expect(base).toBe(`${engine.url}/v1`)

    const calls = [
      ['p', message('page', 'f-p', { name: 'Mugs', properties: { path: '/mugs' } })],
      ['t', message('track', 'f-t', { event: 'Product Viewed', properties: { product_id: 'mug' } })],
      ['i', message('identify', 'f-i', { userId: 'u-1', traits: { email: 'jane@example.com' } })],
      ['g', message('group', 'f-g', { groupId: 'acme', traits: {} })],
      ['a', message('alias', 'f-a', { userId: 'u-1', previousId: 'an-1' })],
    ] as const
    for (const [path, body] of calls)
      expect(await ship(page, { url: `${base}/${path}`, body })).toMatchObject({
        status: 200,
        json: { success: true },
      })
    const batch = [message('track', 'f-b1', { event: 'Clicked' }), message('page', 'f-b2', {})]
    await ship(page, { url: `${base}/b`, body: { writeKey, batch, sentAt: new Date().toISOString() } })

    const events = await logged()
    expect(Object.fromEntries([...events].map(([id, { type }]) => [id, type]))).toEqual({
      'f-p': 'cdp.page',
      'f-t': 'Product Viewed',
      'f-i': 'cdp.identify',
      'f-g': 'cdp.group',
      'f-a': 'cdp.alias',
      'f-b1': 'cdp.track',
      'f-b2': 'cdp.page',
    })
    for (const { source, data } of events.values()) {
      expect(source).toBe('shop')
      expect(data).toMatchObject({ context: { page: { path: '/mugs' }, locale: 'en-GB' } })
      expect(JSON.stringify(data)).not.toContain(WRITE_KEY)
    }
    expect(methods).not.toContain('OPTIONS')
    expect(complaints.splice(0)).toEqual([])
  })

  test('by beacon, also while the page is left', async () => {
    const send = (path: string, body: object) =>
      onPage<boolean>(page, 'beacon', { url: `${engine.url}/v1/${path}`, body })
    expect(await send('t', message('track', 'n-t', { event: 'Left' }))).toBe(true)
    expect(await send('i', message('identify', 'n-i', { userId: 'u-1', traits: { plan: null } }))).toBe(true)
    expect(await send('b', { writeKey, batch: [message('page', 'n-b', {})] })).toBe(true)
    await expect
      .poll(async () => [...(await logged()).keys()], { timeout: 20_000 })
      .toEqual(expect.arrayContaining(['n-t', 'n-i', 'n-b']))
    expect(complaints.splice(0)).toEqual([])
    const last = message('track', 'n-last', { event: 'Closed' })
    await onPage(page, 'beaconOnLeaving', { url: `${engine.url}/v1/t`, body: last })
    await page.reload()
    await expect.poll(async () => [...(await logged()).keys()], { timeout: 20_000 }).toContain('n-last')
    // What outlives its page is lost from the debugger's sight, which it calls aborted.
    expect(complaints.splice(0).filter((text) => !text.endsWith('net::ERR_ABORTED'))).toEqual([])
  })

  test('with a header, after a preflight; a repetition changes nothing', async () => {
    const body = message('track', 'h-t', { event: 'Clicked', writeKey: undefined })
    const headers = {
      'Content-Type': 'application/json',
      Authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`,
    }
    const before = (await logged()).size
    for (const path of ['t', 'track', 'batch']) {
      const shipped = path === 'batch' ? { batch: [body] } : body
      const answer = await ship(page, { url: `${engine.url}/v1/${path}`, headers, body: shipped })
      expect(answer).toMatchObject({ status: 200, json: { success: true } })
    }
    expect((await logged()).size).toBe(before + 1)
    expect(complaints.splice(0)).toEqual([])
  })

  test('a refusal is for the page to read, not a CORS error', async () => {
    const url = `${engine.url}/v1/t`
    const refused = await ship(page, {
      url,
      body: message('track', 'w-t', { writeKey: 'wrong', event: 'x' }),
    })
    expect(refused).toMatchObject({ status: 401, json: { type: 'urn:headwater:problem:unauthorised' } })
    const said = complaints.splice(0)
    expect(said.filter((text) => !text.includes('401'))).toEqual([])
    expect((await logged()).has('w-t')).toBe(false)
  })
})
