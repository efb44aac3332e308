/**
 * Theorem: `asOf` and the identity route answer from the log alone, within bounded work: a moment that can't be understood
 * or reached, and a person with more history than one answer reads, are refused by name and never half-answered; what
 * is proposed to undo a merge does undo it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RECORD_VIEWS } from '../../api/cli/changes.ts'
import { main } from '../../api/cli.ts'
import { HISTORY_LIMITS } from '../../api/history/component.ts'
import { janeAndBob, type LivingWorld, livingWorld } from '../history/living-world.ts'
import { captured } from '../past/captured-terminal.ts'
import { NOON } from '../support/intake-world.ts'
import { AS_READER, createWorld, identityId } from './world.ts'

let world: LivingWorld
beforeAll(async () => {
  world = await livingWorld()
  const [first, ...others] = janeAndBob()
  await world.send(first ?? {})
  world.engine.clock.advance(60_000)
  await world.send(...others)
})
afterAll(() => world.close())

const JANE = '/v1/profiles/email:jane@example.com'

describe('asOf', () => {
  test('the head is what is served, explanations, orders and events included', async () => {
    const { position } = world.engine.log.head()
    const now = await world.read(`${JANE}?explain=true`)
    const then = await world.read(`${JANE}?explain=true&asOf=${position}&events=100`)
    const { history, orders, timeline, ...rest } = then.body
    expect(rest).toEqual(now.body)
    expect(history).toEqual({ by: 'received', until: position })
    const { id } = now.body.data
    expect(orders).toEqual((await world.read(`/v1/orders?id=${id}`)).body.data)
    expect(timeline).toEqual((await world.read(`/v1/profiles/${id}/timeline?limit=100`)).body.data)
  })

  test('received and occurred are two questions', async () => {
    const noon = new Date(NOON).toISOString()
    const received = await world.read(`${JANE}?asOf=${noon}`)
    expect(received.status).toBe(404)
    const occurred = await world.read(`${JANE}?asOf=2025-03-01&by=occurred`)
    expect(occurred.body).toMatchObject({
      position: world.engine.log.head().position,
      history: { by: 'occurred', until: '2025-03-01T00:00:00.000Z' },
      data: { email: 'jane@example.com', phone: null, traits: { plan: 'gold' } },
      orders: [],
      timeline: [{ id: 'j1' }],
    })
    const later = await world.read(`${JANE}?asOf=${new Date(NOON + 60_000).toISOString()}&by=received`)
    expect(later.body.data.phone).toBe('+442079460018')
  })

  test('an ETag that holds', async () => {
    const url = `${JANE}?asOf=2025-03-01&by=occurred`
    const { etag } = (await world.inject(url)).headers
    const again = await world.inject(url, { 'if-none-match': String(etag) })
    expect(again.statusCode).toBe(304)
  })

  test.each([
    ['asOf=yesterday', 'asOf'],
    ['asOf=0', 'asOf'],
    ['asOf=99999999999999999', 'asOf'],
    ['asOf=2025-02-30', 'asOf'],
    ['asOf=2025-03-01T00:00:00', 'asOf'],
    ['asOf=999', 'asOf'],
    ['asOf=3&by=occurred', 'by'],
    ['asOf=3&by=whenever', 'by'],
    ['by=occurred', 'asOf'],
    ['asOf=3&events=101', 'events'],
    ['asOf=3&asOf=4', 'asOf'],
  ])('%s is refused', async (query, parameter) => {
    const { status, body } = await world.read(`${JANE}?${query}`)
    expect(status).toBe(400)
    expect(body).toMatchObject({ type: 'urn:headwater:problem:invalid_query', errors: [{ parameter }] })
  })

  test('events are nothing that other rows know', async () => {
    expect((await world.read('/v1/leads/x?asOf=3&events=1')).body.errors).toMatchObject([
      { parameter: 'events' },
    ])
  })
})

interface Identity {
  readonly id: string
  readonly namespace: string
  readonly value: string
}

describe('identity', () => {
  test('each link with its event, in the order followed', async () => {
    const { status, body } = await world.read(`${JANE}/identity`)
    expect(status).toBe(200)
    const { data, position } = body
    expect(position).toBe(world.engine.log.head().position)
    const names = new Map(
      data.identities.map(({ id, namespace, value }: Identity) => [id, `${namespace}:${value}`]),
    )
    const links = data.links.map(({ a, b, event }: { a: string; b: string; event: { id: string } }) => [
      [names.get(a), names.get(b)].sort().join(' '),
      event.id,
    ])
    expect(links).toEqual([
      ['anonymous:jane-browser email:jane@example.com', 'j1'],
      ["email:bob@example.com lead:O'Neil", 'b1'],
      ['email:jane@example.com erp:17850', 'j3'],
      ['erp:17850 phone:+442079460018', 'j3'],
      ['anonymous:tablet email:jane@example.com', 't1'],
      ['anonymous:tablet email:bob@example.com', 't2'],
      ['email:jane@example.com phone:+442079460999', 'j2'],
    ])
    expect(data).toMatchObject({ complete: true, refused: [], refusedCount: 0, cuts: [] })
    expect(data.bridges).toHaveLength(1)
    expect(names.get(data.bridges[0].identity)).toBe('anonymous:tablet')
    expect(data.bridges[0].sides.map((side: string[]) => side.length)).toEqual([5, 2])
    expect(data.bridges[0].cuts).toHaveLength(1)
  })

  test.each(['email:nobody@example.com', identityId(77), 'nonsense'])('%s is nobody', async (id) => {
    expect((await world.read(`/v1/profiles/${encodeURIComponent(id)}/identity`)).status).toBe(404)
  })

  test('a link that a limit refused is told with what stands in its way', async () => {
    await world.send(
      { id: 'u1', source: 'web', type: 'cdp.page', data: { userId: 'one', anonymousId: 'shared' } },
      { id: 'u2', source: 'web', type: 'cdp.page', data: { userId: 'two', anonymousId: 'shared' } },
    )
    const { body } = await world.read('/v1/profiles/user:one/identity')
    expect(body.data.identities).toHaveLength(2)
    expect(body.data.refused).toMatchObject([
      {
        other: { namespace: 'user', value: 'two' },
        reason: 'limit',
        detail: 'user 2 > 1',
        event: { id: 'u2' },
      },
    ])
  })

  test.each([3, 5, 12, 40])(
    '%i people on one device: each taken out whole, or told that no few cuts do it',
    async (n) => {
      const people = await livingWorld()
      for (let i = 0; i < n; i++) {
        const data = { anonymousId: 'kiosk', traits: { phone: `+4420794${60000 + i}` } }
        await people.send(
          // Limits count phones; leads have none, so that all of them end up in one profile.
          { id: `k${i}`, source: 'web', type: 'acme.touched', identities: [`lead:p${i}`, 'device:kiosk'] },
          {
            id: `o${i}`,
            source: 'web',
            type: 'acme.owned',
            identities: [`lead:p${i}`, `anonymous:own-${i}`],
            data,
          },
        )
      }
      const { data } = (await people.read('/v1/profiles/lead:p0/identity')).body
      expect(data.identities).toHaveLength(2 * n + 1)
      const [bridge] = data.bridges
      expect(bridge.sides).toHaveLength(n)
      const byId = new Map(data.identities.map((each: Identity) => [each.id, each]))
      if (n === 40) expect(bridge.cuts).toBe(null)
      else {
        const name = (id: string) => {
          const { namespace, value } = byId.get(id) as Identity
          return { namespace, value }
        }
        const cuts = bridge.cuts.map((pair: readonly string[], i: number) => ({
          ...{ id: `cut${i}`, source: 'steward', type: 'identity.cut' },
          data: { steward: 'sam', identities: pair.map(name) },
        }))
        await people.send(...cuts)
        const sizes = await Promise.all(
          Array.from({ length: n }, async (_, i) => {
            const { body } = await people.read(`/v1/profiles/lead:p${i}/identity`)
            return body.data.identities.length
          }),
        )
        // Its two identities; one of them keeps the device.
        expect(sizes.sort()).toEqual([...Array(n - 1).fill(2), 3])
      }
      await people.close()
    },
  )
})

test('more history than one answer reads is refused by its name', async () => {
  const plain = await createWorld()
  const [busy, popular] = [identityId(1), identityId(2)]
  for (let i = 0; i <= HISTORY_LIMITS.events; i++) {
    plain.log.push({ id: `b${i}`, identities: [{ id: busy, namespace: 'user' }], received: i })
  }
  for (let i = 0; i <= HISTORY_LIMITS.identities; i++) {
    const identities = [
      { id: identityId(100 + i), namespace: 'lead' },
      { id: popular, namespace: 'device' },
    ]
    plain.log.push({ id: `p${i}`, identities, received: 1e6 })
  }
  const members = new Map(
    [popular, ...Array.from({ length: 1001 }, (_, i) => identityId(100 + i))].map((id) => [id, popular]),
  )
  plain.commit(plain.log.head().position, [], members)
  const read = async (url: string) => (await plain.app.inject({ url, headers: AS_READER })).json()
  const head = plain.log.head().position
  const tooLarge = (what: string) => ({ status: 422, type: 'urn:headwater:problem:history_too_large', what })
  expect(await read(`/v1/profiles/${busy}?asOf=${head}`)).toMatchObject(tooLarge('events'))
  expect(await read(`/v1/profiles/${popular}?asOf=${head}`)).toMatchObject(tooLarge('identities'))
  expect(await read(`/v1/profiles/${popular}/identity`)).toMatchObject(tooLarge('identities'))
  // Who is alone has no links to look for, however many events there are; that not all were read is said.
  expect(await read(`/v1/profiles/${busy}/identity`)).toMatchObject({
    data: { complete: false, identities: [{ id: busy, namespace: 'user' }], links: [] },
  })
  await plain.close()
})

test('why links were refused is looked up once for each profile on the other side', async () => {
  let revealed = 0
  const directory = {
    find: () => undefined,
    reveal: () => {
      revealed += 1
      return undefined
    },
  }
  const plain = await createWorld({ directory })
  const [me, size] = [identityId(1), 5_000]
  for (let i = 0; i < 50; i++) {
    const identities = [
      { id: me, namespace: 'user' },
      { id: identityId(100 + i), namespace: 'device' },
    ]
    plain.log.push({ id: `r${i}`, identities, received: i })
  }
  const others = Array.from({ length: size }, (_, i) => [identityId(100 + i), identityId(100)] as const)
  plain.commit(plain.log.head().position, [], new Map([[me, me], ...others]))
  const answer = await plain.app.inject({ url: `/v1/profiles/${me}/identity`, headers: AS_READER })
  expect(answer.json().data.refused).toHaveLength(50)
  expect(revealed).toBeLessThan(size + 200)
  await plain.close()
})

describe('changes', () => {
  test('field by field, from what to what, and because of which events', async () => {
    const answer = await world.read(`${JANE}/changes?from=2025-04-01&to=2025-06-05&by=occurred`)
    expect(answer.status).toBe(200)
    const { history, data, identities } = answer.body
    expect(history).toEqual({
      by: 'occurred',
      from: '2025-04-01T00:00:00.000Z',
      to: '2025-06-05T00:00:00.000Z',
    })
    const fields = new Map(data.map((change: { field: string }) => [change.field, change]))
    expect(fields.get('phone')).toEqual({
      ...{ field: 'phone', from: null, to: '+442079460018', times: 1 },
      because: [
        {
          event: {
            ...{ id: 'j3', source: 'erp', type: 'order.placed', time: '2025-05-02T10:00:00.000Z' },
            position: expect.any(Number),
          },
        },
      ],
    })
    expect(fields.has('traits.plan')).toBe(false)
    expect(identities.left).toEqual([])
    const joined = identities.joined.map(({ namespace, value }: Identity) => `${namespace}:${value}`)
    expect(joined).toEqual(expect.arrayContaining(['email:bob@example.com', 'anonymous:tablet']))
    const because = identities.because.map(({ event }: { event: { id: string } }) => event.id)
    expect(because).toEqual(['j3', 't1', 't2'])
  })

  test('since the beginning up to now where nothing is said', async () => {
    const { body } = await world.read(`${JANE}/changes`)
    const now = await world.read(JANE)
    expect(body.history).toEqual({ by: 'received', from: null, to: world.engine.log.head().position })
    expect(body.position).toBe(now.body.position)
    for (const { field, from, to } of body.data as { field: string; from: unknown; to: unknown }[]) {
      const [column = '', member] = field.split('.')
      expect(from).toBe(null)
      expect(to, field).toEqual(member === undefined ? now.body.data[column] : now.body.data[column][member])
    }
  })

  test('of records that an identity names, too', async () => {
    const { status, body } = await world.read("/v1/leads/O'Neil/changes")
    expect(status).toBe(200)
    expect(body.data).toContainEqual(
      expect.objectContaining({ field: 'name', from: null, to: 'Bob', times: 1 }),
    )
    expect(body.identities).toBe(undefined)
    const { position } = world.engine.log.head()
    expect((await world.read(`/v1/leads/O'Neil/changes?from=${position}`)).body.data).toEqual([])
  })

  test.each([
    ['from=soon', 400, 'from'],
    ['to=999', 400, 'to'],
    ['from=3&to=2', 400, 'from'],
    ['from=3&by=occurred', 400, 'by'],
    ['asOf=3', 400, 'asOf'],
  ])('%s is refused', async (query, status, parameter) => {
    const answer = await world.read(`${JANE}/changes?${query}`)
    expect(answer.status).toBe(status)
    expect(answer.body.errors).toMatchObject([{ parameter }])
  })

  test('nobody then is not found', async () => {
    expect((await world.read('/v1/profiles/email:nobody@example.com/changes')).status).toBe(404)
    expect((await world.read(`${JANE}/changes?to=2020-01-01&by=occurred`)).status).toBe(404)
  })

  test('the command line tells them', async () => {
    const terminal = captured(world.env)
    const args = ['changes', 'jane@example.com', '--from', '2025-04-01', '--to', '2025-06-05']
    expect(await main(args, terminal)).toBe(0)
    const text = terminal.outLines.join('\n')
    expect(text).toContain('phone: nothing → +442079460018')
    expect(text).toContain('order.placed from erp, event j3')
    expect(text).toContain('email:bob@example.com')
    expect(await main(['changes', 'nobody@example.com'], terminal)).toBe(1)
    expect(await main(['changes', 'jane@example.com', '--from', '3', '--by', 'occurred'], terminal)).toBe(2)
    const json = captured(world.env)
    expect(await main([...args, '--json'], json)).toBe(0)
    expect(JSON.parse(json.outLines[0] ?? '')).toMatchObject({ history: { by: 'occurred' } })
  })

  test('the command line tells them of a record of any view, by either name of the view', async () => {
    for (const view of ['lead', 'leads']) {
      const terminal = captured(world.env)
      expect(await main(['changes', view, "O'Neil"], terminal), terminal.errLines.join('\n')).toBe(0)
      expect(terminal.outLines.join('\n')).toContain('name: nothing → Bob')
    }
    const person = captured(world.env)
    expect(await main(['changes', 'profiles', 'jane@example.com', '--json'], person)).toBe(0)
    expect(JSON.parse(person.outLines[0] ?? '')).toEqual((await world.read(`${JANE}/changes`)).body)
    expect(await main(['changes', 'leads', 'nobody'], captured(world.env))).toBe(1)
    const swapped = captured(world.env)
    expect(await main(['changes', 'lead', '1', '--from', '3', '--to', '2'], swapped)).toBe(1)
    expect(swapped.errLines.join('\n')).toContain('from lies behind to')
    const misspelt = captured(world.env)
    expect(await main(['changes', 'oportunity', '1'], misspelt)).toBe(1)
    expect(misspelt.errLines.join('\n')).toMatch(/no object oportunity; views are .*opportunity/)
    expect(await main(['changes', 'leads', '1', '2'], captured(world.env))).toBe(2)
    expect(await main(['changes'], captured(world.env))).toBe(2)
    const idless = captured(world.env)
    expect(await main(['changes', 'leads'], idless)).toBe(2)
    expect(idless.errLines.join('\n')).toContain('leads is a view')
  })

  test('the command knows every view that has them', async () => {
    const { paths } = (await world.read('/docs/json')).body as { paths: Record<string, unknown> }
    const views = Object.keys(paths).flatMap((path) => /^\/v1\/(.+)\/\{id\}\/changes$/.exec(path)?.[1] ?? [])
    const known = ['profiles', ...Object.values(RECORD_VIEWS), 'objects/{object}']
    expect(known.sort()).toEqual(views.sort())
  })
})
