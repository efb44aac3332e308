import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kept } from './projections.ts'
import type { World } from './world.ts'
import { AS_READER, createWorld, identityId, START_MS } from './world.ts'

// Theorem: a read answers exactly the rows that its query names, as they are meant to be shown, with the position that
// it holds at; and a query that can't be understood is refused by the name of what is wrong, never half-answered.

let world: World
let jane: string
let janeByUser: string
let acme: string

beforeAll(async () => {
  world = await createWorld()
  jane = world.keyStore.identify({ namespace: 'email', value: 'jane@example.com' })
  janeByUser = world.keyStore.identify({ namespace: 'user', value: '42' })
  acme = world.keyStore.identify({ namespace: 'account', value: 'Acme' })
  const lead = world.keyStore.identify({ namespace: 'lead', value: 'L-1' })
  const profile = [jane, janeByUser].sort()[0] ?? jane
  const company = identityId(9)
  const state = (name: string, time: number, position: number, spent: number) =>
    kept.writeAll(
      kept.initial,
      { source: position === 5 ? 'crm' : 'web', id: `e${position}`, time, position },
      { name, spent },
    )
  world.commit(
    7,
    [
      {
        projection: 'profile',
        key: profile,
        rows: {
          name: 'Jane, the 1st',
          email: 'jane@example.com',
          spent: 12_345_000,
          orders: 3,
          score: 0.5,
          since: START_MS,
          born: '1980-02-29',
          customer: true,
          employer: acme,
          traits: { vip: true },
        },
        states: new Map([
          [jane, state('Jane', START_MS, 3, 100)],
          [janeByUser, state('J. Doe', START_MS + 1000, 5, 12_345_000)],
        ]),
      },
      {
        projection: 'profile',
        key: identityId(1),
        rows: { name: 'Bob', spent: -1, orders: 1, since: START_MS + 60_000 },
      },
      {
        projection: 'profile',
        key: identityId(2),
        rows: { name: 'Cleo', spent: 500, orders: 1, customer: false },
      },
      {
        projection: 'opportunity',
        key: 'o:1',
        rows: { name: 'Big', stage: 'won', amount: 10_000, currency: 'EUR', contact: janeByUser },
      },
      {
        projection: 'opportunity',
        key: 'o2',
        rows: { name: 'Small', stage: 'lost', amount: 25, currency: 'EUR', contact: identityId(1) },
      },
      { projection: 'lead', key: lead, rows: { lead_id: 'L-1', origin: 'search', status: 'new' } },
    ],
    new Map([
      [jane, profile],
      [janeByUser, profile],
      [acme, company],
    ]),
  )
  for (const [position, ids] of [
    [1, [identityId(1)]],
    [3, [jane]],
    [4, [jane, janeByUser]],
    [5, [janeByUser]],
    [6, [jane]],
    [9, [jane]],
  ] as const) {
    const identities = ids.map((id) => ({ id, namespace: 'email' }))
    world.log.push({
      position,
      id: `e${position}`,
      identities,
      time: START_MS,
      received: START_MS + position,
    })
  }
})
afterAll(() => world.close())

const read = (url: string, headers: Record<string, string> = {}) =>
  world.app.inject({ url, headers: { ...AS_READER, ...headers } })
const names = async (url: string) => {
  const answer = await read(url)
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.json().data.map((row: { name: string }) => row.name)
}

describe('a row', () => {
  it('is shown as people read it, with the position it holds at', async () => {
    const answer = await read('/v1/profiles/email:Jane@Example.com')
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['headwater-position']).toBe('7')
    const profile = [jane, janeByUser].sort()[0]
    const { data, ...rest } = answer.json()
    expect(rest).toEqual({ position: 7, asOf: new Date(START_MS + 7).toISOString() })
    expect(data).toEqual({
      id: profile,
      name: 'Jane, the 1st',
      email: 'jane@example.com',
      spent: '1234.50',
      orders: 3,
      score: 0.5,
      since: '2011-12-09T12:00:00.000Z',
      born: '1980-02-29',
      customer: true,
      employer: identityId(9),
      traits: { vip: true },
      identities: expect.arrayContaining([
        { id: jane, namespace: 'email', value: 'jane@example.com' },
        { id: janeByUser, namespace: 'user', value: '42' },
      ]),
    })
    expect(data.identities).toHaveLength(2)
  })

  it('is found by any of its identities', async () => {
    for (const id of [jane, janeByUser, 'user:42', 'email:jane%40example.com']) {
      expect((await read(`/v1/profiles/${id}`)).json().data.name).toBe('Jane, the 1st')
    }
  })

  it.each(['email:nobody@example.com', identityId(77), 'nonsense', 'BAD:x', ':', 'email:'])(
    '%s is nobody: 404',
    async (id) => {
      const answer = await read(`/v1/profiles/${encodeURIComponent(id)}`)
      expect(answer.statusCode).toBe(404)
      expect(answer.json()).toMatchObject({
        type: 'urn:headwater:problem:not_found',
        status: 404,
        errors: [],
      })
      expect(answer.body).not.toContain('nobody')
    },
  )

  it("of a record is found by its own id, colons and all, and a lead by the sender's id", async () => {
    expect((await read('/v1/opportunities/o:1')).json().data).toMatchObject({ name: 'Big', amount: '1.00' })
    expect((await read('/v1/leads/L-1')).json().data).toMatchObject({ origin: 'search' })
    expect((await read('/v1/leads/lead:L-1')).json().data).toMatchObject({ origin: 'search' })
  })

  it('mentions people as the profiles they belong to', async () => {
    expect((await read('/v1/opportunities/o:1')).json().data.contact).toBe([jane, janeByUser].sort()[0])
  })
})

describe('explain', () => {
  it('tells per field who won, by which rule, and what was overruled', async () => {
    const { explain } = (await read('/v1/profiles/user:42?explain=true')).json()
    expect(explain.name).toEqual({
      value: 'J. Doe',
      rule: 'latest',
      winners: [
        { value: 'J. Doe', event: 'e5', source: 'crm', position: 5, time: '2011-12-09T12:00:01.000Z' },
      ],
      overruled: [
        { value: 'Jane', event: 'e3', source: 'web', position: 3, time: '2011-12-09T12:00:00.000Z' },
      ],
    })
    expect(explain.spent).toMatchObject({
      value: '1234.50',
      winners: [{ value: '1234.50' }],
      overruled: [{ value: '0.01' }],
    })
  })

  it('stays away unless asked for', async () => {
    expect((await read('/v1/profiles/user:42')).json()).not.toHaveProperty('explain')
    expect((await read('/v1/profiles/user:42?explain=false')).json()).not.toHaveProperty('explain')
  })
})

describe('a list', () => {
  it('filters by each kind of column', async () => {
    const all = ['Bob', 'Cleo', 'Jane, the 1st']
    const cases: [string, string[]][] = [
      ['', all],
      ['name=Bob', ['Bob']],
      ['name[ne]=Bob', ['Cleo', 'Jane, the 1st']],
      ['name[in]=Bob,Cleo', ['Bob', 'Cleo']],
      ['name%5Bin%5D=Jane%5C%2C+the+1st,Bob', ['Bob', 'Jane, the 1st']],
      ['spent[gte]=0.05', ['Cleo', 'Jane, the 1st']],
      ['spent=-0.0001', ['Bob']],
      ['spent=1234.5', ['Jane, the 1st']],
      ['orders[gt]=1', ['Jane, the 1st']],
      ['score[lte]=0.5', ['Jane, the 1st']],
      ['since[gt]=2011-12-09T13:00:00%2B01:00', ['Bob']],
      ['since[gte]=2011-12-09', ['Bob', 'Jane, the 1st']],
      ['born=1980-02-29', ['Jane, the 1st']],
      ['customer=false', ['Cleo']],
      ['customer[null]=true', ['Bob']],
      ['employer=account:Acme', ['Jane, the 1st']],
      ['employer=account:Nobody', []],
      [`employer[in]=${identityId(9)},account:Nobody`, ['Jane, the 1st']],
      ['traits[null]=false', ['Jane, the 1st']],
      ['orders=1&name=Cleo', ['Cleo']],
      ['q=jan+exam', ['Jane, the 1st']],
      ['id=user:42', ['Jane, the 1st']],
      [`id[in]=${identityId(1)},user:42`, ['Bob', 'Jane, the 1st']],
      ['id=user:43', []],
    ]
    for (const [query, expected] of cases) {
      expect(await names(`/v1/profiles?sort=name&${query}`), query).toEqual(expected)
    }
  })

  it('sorts, and goes on where a cursor points', async () => {
    const first = (await read('/v1/profiles?sort=orders,-name&limit=2')).json()
    expect(first.data.map((row: { name: string }) => row.name)).toEqual(['Cleo', 'Bob'])
    const second = (await read(`/v1/profiles?sort=orders,-name&limit=2&cursor=${first.next}`)).json()
    expect(second.data.map((row: { name: string }) => row.name)).toEqual(['Jane, the 1st'])
    expect(second.next).toBeNull()
  })

  it.each([
    ['colour=red', 'colour'],
    ['name[like]=B', 'name[like]'],
    ['spent=abc', 'spent'],
    ['spent=1.00001', 'spent'],
    ['orders=1.5', 'orders'],
    ['orders=9007199254740993', 'orders'],
    ['born=1981-02-29', 'born'],
    ['since=yesterday', 'since'],
    ['customer=maybe', 'customer'],
    ['traits=x', 'traits'],
    ['name[null]=perhaps', 'name[null]'],
    ['orders[in]=1,x', 'orders[in]'],
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=5&limit=6', 'limit'],
    ['name=Bob&name=Cleo', 'name'],
    ['sort=colour', 'sort'],
    ['sort=name,-name', 'sort'],
    ['sort=traits', 'sort'],
    ['cursor=nonsense', 'cursor'],
    ['after=-1', 'after'],
    ['__proto__=1', '__proto__'],
    ['constructor=1', 'constructor'],
    ['toString[eq]=1', 'toString[eq]'],
  ])('?%s is refused by the name %s', async (query, parameter) => {
    const answer = await read(`/v1/profiles?${query}`)
    expect(answer.statusCode).toBe(400)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json()).toMatchObject({
      type: 'urn:headwater:problem:invalid_query',
      title: expect.any(String),
      status: 400,
    })
    expect(answer.json().errors).toContainEqual({ parameter, message: expect.any(String) })
  })

  it('names every wrong parameter at once, and repeats no value', async () => {
    const answer = await read('/v1/profiles?colour=jane@example.com&spent=jane&limit=5')
    expect(answer.json().errors.map((error: { parameter: string }) => error.parameter)).toEqual([
      'colour',
      'spent',
    ])
    expect(answer.body).not.toContain('jane')
  })

  it('a cursor of another query is refused', async () => {
    const { next } = (await read('/v1/profiles?sort=name&limit=1')).json()
    const answer = await read(`/v1/profiles?sort=-name&limit=1&cursor=${next}`)
    expect(answer.json().errors).toEqual([{ parameter: 'cursor', message: expect.any(String) }])
  })

  it.each(['('.repeat(257), 'ab '.repeat(90), Array.from({ length: 17 }, (_, n) => `w${n}`).join('+')])(
    'a search beyond its limits is refused by the name q, which says them',
    async (q) => {
      const answer = await read(`/v1/profiles?q=${q}`)
      expect(answer.statusCode).toBe(400)
      expect(answer.json().errors).toEqual([
        { parameter: 'q', message: expect.stringMatching(/256 characters.*16 different words/) },
      ])
    },
  )

  it('a search within its limits finds what is there, punctuation or not', async () => {
    expect(await names(`/v1/profiles?q=${'('.repeat(256)}`)).toEqual([])
    expect(await names(`/v1/profiles?q=${'jane+'.repeat(50)}`)).toEqual(['Jane, the 1st'])
  })

  it('searching where nothing is searchable is refused', async () => {
    expect((await read('/v1/opportunities?q=x')).json().errors[0].parameter).toBe('q')
  })

  it('percent signs that are no UTF-8 are refused', async () => {
    expect((await read('/v1/profiles?name=%ff')).statusCode).toBe(400)
    expect((await read('/v1/profiles/%ff')).statusCode).toBe(400)
  })
})

describe('ETags', () => {
  it('tell that nothing changed, and at which newer position', async () => {
    const own = await createWorld()
    own.commit(1, [{ projection: 'opportunity', key: 'o', rows: { name: 'Big', amount: 1 } }])
    const ask = (headers = {}) =>
      own.app.inject({ url: '/v1/opportunities/o', headers: { ...AS_READER, ...headers } })
    const etag = String((await ask()).headers.etag)
    expect(etag).toMatch(/^"[\w-]+"$/)
    own.commit(2, [])
    const same = await ask({ 'if-none-match': `"other", ${etag}` })
    expect([same.statusCode, same.body, same.headers['headwater-position'], same.headers.etag]).toEqual([
      304,
      '',
      '2',
      etag,
    ])
    expect((await ask({ 'if-none-match': `W/${etag}` })).statusCode).toBe(304)
    expect((await ask({ 'if-none-match': '"other"' })).statusCode).toBe(200)
    own.commit(3, [{ projection: 'opportunity', key: 'o', rows: { name: 'Big', amount: 2 } }])
    const changed = await ask({ 'if-none-match': etag })
    expect(changed.statusCode).toBe(200)
    expect(changed.headers.etag).not.toBe(etag)
    await own.close()
  })

  it('of a page that others follow tell it too, until what follows is another', async () => {
    const own = await createWorld()
    const put = (key: string, amount: number) => ({
      projection: 'opportunity',
      key,
      rows: { name: key, amount },
    })
    own.commit(1, [put('a', 1), put('b', 2), put('c', 3)])
    const ask = (headers = {}) =>
      own.app.inject({ url: '/v1/opportunities?limit=2', headers: { ...AS_READER, ...headers } })
    const first = await ask()
    expect(first.json().next).toEqual(expect.any(String))
    const etag = String(first.headers.etag)
    own.commit(2, [put('c', 4)])
    expect((await ask({ 'if-none-match': etag })).statusCode).toBe(304)
    own.commit(3, [put('aa', 5)])
    expect((await ask({ 'if-none-match': etag })).statusCode).toBe(200)
    await own.close()
  })
})

describe("reading one's own write", () => {
  it('waits until the views hold the position', async () => {
    const own = await createWorld()
    own.commit(1, [])
    const waiting = own.app.inject({ url: '/v1/opportunities/o?after=2', headers: AS_READER })
    own.commit(2, [{ projection: 'opportunity', key: 'o', rows: { name: 'New' } }])
    expect((await waiting).json()).toMatchObject({ position: 2, data: { name: 'New' } })
    await own.close()
  })

  it.each(['/v1/profiles', '/v1/opportunities/o:1', '/v1/analytics/events', '/v1/profiles/user:42/timeline'])(
    'gives up in time: %s',
    async (path) => {
      const answer = await read(`${path}?after=1000`)
      expect(answer.statusCode).toBe(504)
      expect(answer.json().type).toBe('urn:headwater:problem:position_not_reached')
    },
  )
})

describe('look-ups', () => {
  const lookup = (payload: unknown) =>
    world.app.inject({
      method: 'POST',
      url: '/v1/profiles/lookup',
      headers: AS_READER,
      payload: payload as object,
    })

  it('answer in the order asked, null where nobody is known', async () => {
    const identities = [
      'user:42',
      'email:nobody@example.com',
      identityId(1),
      'email:JANE@example.com',
      'nonsense',
      acme,
    ]
    const answer = await lookup({ identities })
    expect(answer.statusCode).toBe(200)
    const found = answer.json().data.map((row: { name: string } | null) => row?.name ?? null)
    expect(found).toEqual(['Jane, the 1st', null, 'Bob', 'Jane, the 1st', null, null])
    expect(answer.json().position).toBe(7)
  })

  it('take a thousand, not more', async () => {
    expect((await lookup({ identities: Array(1000).fill('user:1') })).statusCode).toBe(200)
    expect((await lookup({ identities: Array(1001).fill('user:1') })).statusCode).toBe(400)
    expect((await lookup({ identities: [] })).json().data).toEqual([])
  })

  it.each([{}, { identities: 'user:42' }, { identities: [42] }, [], 'text'])('refuse %j', async (body) => {
    const answer = await lookup(JSON.stringify(body))
    expect([400, 415]).toContain(answer.statusCode)
    const asJson = await world.app.inject({
      method: 'POST',
      url: '/v1/profiles/lookup',
      headers: { ...AS_READER, 'content-type': 'application/json' },
      payload: JSON.stringify(body),
    })
    expect(asJson.json()).toMatchObject({ status: 400, errors: [{ path: '/identities' }] })
  })
})

describe('a timeline', () => {
  const positions = async (url: string) => {
    const answer = (await read(url)).json()
    return { at: answer.data.map((event: { position: number }) => event.position), next: answer.next, answer }
  }

  it('merges all identities, newest first, an event of several once, up to the position of the views', async () => {
    const { at, next, answer } = await positions('/v1/profiles/user:42/timeline')
    expect(at).toEqual([6, 5, 4, 3])
    expect(next).toBeNull()
    expect(answer.position).toBe(7)
    expect(answer.data[0]).toMatchObject({
      specversion: '1.0',
      id: 'e6',
      type: 'cdp.track',
      subject: 'stream-1',
      time: '2011-12-09T12:00:00.000Z',
      identities: [{ id: jane, namespace: 'email' }],
      erased: 0,
    })
  })

  it('comes in pages that add up to the whole', async () => {
    for (const limit of [1, 2, 3]) {
      const seen: number[] = []
      let cursor = ''
      for (;;) {
        const page = await positions(`/v1/profiles/${jane}/timeline?limit=${limit}${cursor}`)
        expect(page.at.length).toBeLessThanOrEqual(limit)
        seen.push(...page.at)
        if (page.next === null) break
        cursor = `&cursor=${page.next}`
      }
      expect(seen).toEqual([6, 5, 4, 3])
    }
  })

  it("refuses another profile's cursor, by whatever id it is asked", async () => {
    const { next } = await positions(`/v1/profiles/${jane}/timeline?limit=1`)
    expect((await positions(`/v1/profiles/user:42/timeline?cursor=${next}`)).at).toEqual([5, 4, 3])
    const other = await read(`/v1/profiles/${identityId(1)}/timeline?cursor=${next}`)
    expect(other.statusCode).toBe(400)
    expect(other.json().errors).toEqual([{ parameter: 'cursor', message: expect.any(String) }])
  })

  it('refuses a bad cursor, and knows nobody who has no events', async () => {
    for (const cursor of ['x', '', 'dDA', 'dDM', '%20']) {
      expect((await read(`/v1/profiles/${jane}/timeline?cursor=${cursor}`)).statusCode).toBe(400)
    }
    expect((await read(`/v1/profiles/${identityId(88)}/timeline`)).statusCode).toBe(404)
    expect((await read('/v1/profiles/email:nobody@example.com/timeline')).statusCode).toBe(404)
  })
})

describe('addresses', () => {
  it('that are unknown are 404, methods that are not offered 405 with those that are', async () => {
    const unknown = await read('/v1/nothing')
    expect(unknown.statusCode).toBe(404)
    expect(unknown.headers['content-type']).toContain('application/problem+json')
    const wrong = await world.app.inject({ method: 'DELETE', url: '/v1/profiles/1', headers: AS_READER })
    expect(wrong.statusCode).toBe(405)
    expect(wrong.headers.allow).toBe('GET, HEAD')
    expect((await world.app.inject({ method: 'PUT', url: '/v1/events' })).headers.allow).toBe(
      'GET, HEAD, OPTIONS, POST',
    )
  })

  it('HEAD answers as GET does, without a body', async () => {
    const answer = await world.app.inject({ method: 'HEAD', url: '/v1/profiles', headers: AS_READER })
    expect([answer.statusCode, answer.body, answer.headers['headwater-position']]).toEqual([200, '', '7'])
  })

  it('a body of another type than JSON is 415', async () => {
    const headers = { ...AS_READER, 'content-type': 'text/xml' }
    const answer = await world.app.inject({
      method: 'POST',
      url: '/v1/profiles/lookup',
      headers,
      payload: '<x/>',
    })
    expect(answer.statusCode).toBe(415)
    expect(answer.json().type).toBe('urn:headwater:problem:unsupported_media_type')
  })
})
