/**
 * Theorem: `tail` prints every event from where it is told to, once, through restarts of the engine, and stops without fuss;
 * `show` tells what a profile says and why, and lets no customer's text steer the terminal.
 */
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CLI, type Ran, World } from './world.ts'

const world = new World()
beforeAll(() => world.open())
afterAll(() => world.close())
beforeEach(() => world.reset())

describe('tail', () => {
  const events = [1, 2, 3, 4, 5].map((position) => ({ position, type: position % 2 === 0 ? 'even' : 'odd' }))

  beforeEach(() => {
    world.routes['GET /v1/events'] = (query) => {
      const types = query.get('types')?.split(',')
      const after = Number(query.get('after'))
      const found = events
        .filter(({ position, type }) => position > after && (types?.includes(type) ?? true))
        .slice(0, Number(query.get('limit')))
      return [
        200,
        { position: 5, asOf: null, data: found, next: found.at(-1)?.position ?? Math.max(after, 5) },
      ]
    }
  })

  const positions = (ran: Ran) =>
    ran.stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { position: number }).position)

  test('--once prints the log to its end', async () => {
    const ran = await world.run(['tail', '--once'])
    expect(ran.code).toBe(0)
    expect(positions(ran)).toEqual([1, 2, 3, 4, 5])
    expect(world.authorizations).toEqual(new Set(['Bearer kept-read']))
  })

  test('--from, --type and --limit', async () => {
    expect(positions(await world.run(['tail', '--from', '2', '--limit', '3']))).toEqual([2, 3, 4])
    expect(positions(await world.run(['tail', '--once', '--type', 'even']))).toEqual([2, 4])
  })

  test('begins with now, survives an engine that is away, and ends cleanly on SIGINT', async () => {
    let requests = 0
    world.routes['GET /v1/events'] = (query) => {
      requests++
      if (requests === 1) return [200, { position: 5, data: [], next: 5 }]
      if (requests === 2) return [503, { title: 'away' }]
      const data = query.get('after') === '5' ? [{ position: 6 }] : []
      return [200, { position: 6, data, next: 6 }]
    }
    const ran = await world.run(['tail'], { interruptAt: /"position":6/ })
    expect(ran.code).toBe(0)
    expect(positions(ran)).toEqual([6])
    expect(ran.stderr).toContain('trying again')
  })

  test('a reader that goes away early is no error', async () => {
    const child = spawn('sh', ['-c', `"${process.execPath}" "${CLI}" tail --from 1 | head -n 1; exit 0`], {
      env: world.env,
    })
    let stderr = ''
    let stdout = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    // The next event meets the closed pipe.
    let last = 5
    const feeding = setInterval(() => events.push({ position: ++last, type: 'late' }), 50)
    await new Promise((resolve) => child.on('close', resolve))
    clearInterval(feeding)
    events.length = 5
    expect(stdout.trim()).toBe(JSON.stringify(events[0]))
    expect(stderr).toBe('')
  })
})

describe('show', () => {
  const ID = 'ab'.repeat(16)
  const write = (value: unknown, source: string) => ({
    value,
    event: `e-${source}`,
    source,
    position: 1,
    time: '2026-01-02T03:04:05.000Z',
  })

  beforeEach(() => {
    world.routes['POST /v1/profiles/lookup'] = (_, body) => {
      const stated = (body as { identities: string[] }).identities[0]
      return [
        200,
        { position: 9, data: [stated === 'email:ada@example.com' || stated === ID ? { id: ID } : null] },
      ]
    }
    world.routes[`GET /v1/profiles/${ID}`] = () => [
      200,
      {
        position: 9,
        asOf: null,
        data: {
          id: ID,
          name: 'Ada\u001b[2J',
          phone: null,
          consents: {},
          traits: { plan: 'gold', 'p\u001b[2J': 1 },
          identities: [
            { id: ID, namespace: 'email', value: 'ada@example.com' },
            { id: 'cd'.repeat(16) },
            { id: 'ef'.repeat(16), namespace: 'user', value: 'u\u001b[2J' },
          ],
        },
        explain: {
          name: {
            value: 'Ada',
            rule: 'latest',
            winners: [write('Ada', 'crm')],
            overruled: [write('Augusta', 'web')],
          },
          'traits.plan': { value: 'gold', rule: 'latest', winners: [write('gold', 'web')], overruled: [] },
        },
      },
    ]
    world.routes[`GET /v1/profiles/${ID}/timeline`] = () => [
      200,
      {
        position: 9,
        data: [
          { position: 8, time: '2026-01-01T00:00:00Z', type: 'cdp.identify', source: 'web' },
          { position: 7, time: '2026-01-01T00:00:00Z', type: 'made\u001b[2J', source: 'web' },
        ],
      },
    ]
    world.routes['GET /v1/orders'] = (query) => {
      const totals = { id: ID, cancelled: 0, gross: '0', refunded: '0', adjusted: '0' }
      const data = [
        { ...totals, basis: 'invoiced', currency: 'GBP', orders: 12, returns: 1, net: '1234.5' },
        { ...totals, basis: 'ordered', currency: null, orders: 1, returns: 0, net: null },
        { ...totals, basis: 'ordered', currency: 'E\u001b[2J', orders: 0, returns: 2, net: '-3' },
      ]
      return [200, { position: 9, asOf: null, data: query.get('id') === ID ? data : [], next: null }]
    }
  })

  test('fields with the write that won and those overruled, identities, latest events', async () => {
    const ran = await world.run(['show', 'ada@example.com'])
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    for (const text of [
      'email:ada@example.com',
      '(erased)',
      'latest: crm, 2026-01-02T03:04:05.000Z, event e-crm',
      'overruled: Augusta, web',
      'traits.plan',
      'cdp.identify',
    ]) {
      expect(ran.stdout).toContain(text)
    }
    // What a customer typed must not reach the terminal as a command, and colours only a terminal.
    expect(ran.stdout).not.toContain('\u001b')
    expect(ran.stdout).not.toMatch(/phone|consents/)
    const asked = await world.run(['why', 'ada@example.com', 'nothing'])
    expect(asked.stderr).toContain('traits.plan')
    expect(asked.stderr).not.toContain('\u001b')
  })

  test('orders: a line for each basis and currency; none, none', async () => {
    const { stdout } = await world.run(['show', ID])
    const lines = stdout.split('\n')
    const at = lines.indexOf('orders')
    expect(lines.slice(at, at + 5)).toEqual([
      'orders',
      '  invoiced GBP  12 orders, 1 return, net 1234.5',
      '  ordered (no currency)  1 order, 0 returns, net too large to show',
      '  ordered E\ufffd[2J  0 orders, 2 returns, net -3',
      '',
    ])
    world.routes['GET /v1/orders'] = (query) => {
      const data = [{ basis: 'ordered', currency: query.get('id'), orders: 2, returns: 0, net: '1' }]
      return [200, { position: 9, asOf: null, data, next: 'cursor' }]
    }
    expect((await world.run(['show', ID])).stdout).toContain(
      `  ordered ${ID}  2 orders, 0 returns, net 1\n  …\n`,
    )
    world.routes['GET /v1/orders'] = () => [200, { position: 9, asOf: null, data: [], next: null }]
    expect((await world.run(['show', ID])).stdout).not.toContain('orders')
  })

  test('a part that the engine refuses is told as lacking; the rest is shown', async () => {
    world.routes['GET /v1/orders'] = () => [503, { title: 'Unavailable' }]
    const ran = await world.run(['show', ID])
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('without orders: HTTP 503') })
    expect(ran.stdout).toContain('latest events')
    expect(JSON.parse((await world.run(['show', ID, '--json'])).stdout)).not.toHaveProperty('orders')
  })

  test('by id, as JSON; nobody: exit 1', async () => {
    const ran = await world.run(['show', ID, '--json'])
    expect(JSON.parse(ran.stdout)).toMatchObject({
      profile: { data: { id: ID } },
      timeline: { data: [{ position: 8 }, { position: 7 }] },
      orders: { data: [{ basis: 'invoiced', currency: 'GBP', net: '1234.5' }, {}, {}] },
    })
    const nobody = await world.run(['show', 'user:42'])
    expect(nobody).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('nobody is known as user:42'),
    })
  })
})
