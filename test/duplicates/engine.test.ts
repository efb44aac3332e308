/**
 * Theorem: two who are probably one are proposed with a reason for every field; a steward's answer is one event, tried
 * first if asked to; whoever was linked, cut or kept apart is never proposed again, whatever runs, restarts or rebuilds
 * follow; and an erasure leaves nothing of a person in what is proposed.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { main } from '../../api/cli.ts'
import { systemClock } from '../../engine/clock.ts'
import { READ_TOKEN, WRITE_KEY } from '../api/world.ts'
import { caughtUp, eraseNow, send, temporaryDirectory } from '../erasure/support.ts'
import { crowd, identify, openWorld, sendCrowd, visit, type World, ZEPHYRIN, ZEPHYRINE } from './support.ts'

let directory: ReturnType<typeof temporaryDirectory>
let world: World

beforeAll(async () => {
  directory = temporaryDirectory()
  world = await openWorld(directory.path)
  await sendCrowd(world.engine, 150)
  const doubled = crowd(3, 99).flatMap((traits, i) => {
    const { lastName, phone } = traits
    const slips = {
      lastName: `${lastName}n`,
      phone: `${phone.slice(0, -1)}${(Number(phone.at(-1)) + 5) % 10}`,
    }
    return [
      identify(`left${i + 1}`, { ...traits, email: `left${i + 1}@mail.example` }),
      visit(`right${i + 1}`, { ...traits, ...slips, email: `right${i + 1}@work.example` }),
    ]
  })
  await send(world.engine, ...doubled)
  await send(world.engine, identify('z1', ZEPHYRINE), visit('z2', ZEPHYRIN))
}, 60_000)
afterAll(async () => {
  await world.close()
  directory.remove()
})

function idOf(name: string): string {
  const { keyStore } = world.engine
  return keyStore.find('user', name) ?? keyStore.find('anonymous', name) ?? ''
}

/** Who is in each proposed pair. */
async function proposed(query = '?limit=100'): Promise<readonly string[]> {
  const { data } = await world.list(query)
  type Side = { identities: { namespace?: string; value?: string }[] }
  const isOwn = (namespace = '') => namespace === 'user' || namespace === 'anonymous'
  const userOf = ({ identities }: Side) => identities.find(({ namespace }) => isOwn(namespace))?.value
  return data.map(({ a, b }: { a: Side; b: Side }) => [userOf(a), userOf(b)].sort().join(' ')).sort()
}

const ALL = ['left1 right1', 'left2 right2', 'left3 right3', 'z1 z2']

test('before anything was looked for the list says so', async () => {
  expect(await world.list()).toMatchObject({ data: [], next: null, run: null })
  expect((await world.get('/v1/duplicates/status')).body.data).toMatchObject({
    mode: 'suggest',
    state: 'idle',
    run: null,
  })
})

test('proposed with reasons, values and what was looked through', async () => {
  const status = await world.look()
  expect(status).toMatchObject({ state: 'idle', failure: null, run: { candidates: 4, linked: 0 } })
  expect(status.run.kinds[0]).toMatchObject({
    kind: 'person',
    profiles: { compared: 158, sparse: 0, leftOut: 0 },
    candidates: { kept: 4, decided: 0, households: 0, leftOut: 0 },
    reliable: true,
  })
  expect(status.run.position).toBe(world.engine.log.head().position)
  expect(await proposed()).toEqual(ALL)
  const { data } = await world.list('?limit=100')
  const rare = data.find(({ a, b }: { a: { name: string }; b: { name: string } }) =>
    [a.name, b.name].includes('Zephyrine Quandry'),
  )
  expect(rare.kind).toBe('person')
  expect(rare.probability).toBeGreaterThan(0.99)
  const sum = rare.reasons.reduce(
    (bits: number, reason: { bits: number }) => bits + reason.bits,
    rare.priorBits,
  )
  expect(sum).toBeCloseTo(rare.bits, 6)
  const byField = new Map(rare.reasons.map((reason: { field: string }) => [reason.field, reason]))
  expect([...byField.keys()].sort()).toEqual(
    'address birth_date city company email first_name last_name phone postal_code'.split(' '),
  )
  expect(byField.get('birth_date')).toMatchObject({ level: 'same', a: '1984-03-09', b: '1984-03-09' })
  expect(byField.get('company')).toMatchObject({ level: 'absent', bits: 0, a: null, b: null })
  expect(byField.get('last_name')).toMatchObject({ level: 'close' })
  const { a, b } = Object(byField.get('last_name'))
  expect([a, b].sort()).toEqual(['Quandary', 'Quandry'])
})

test('filters, pages and cursors', async () => {
  expect(await proposed('?kind=company')).toEqual([])
  const first = await world.list('?limit=3')
  expect(first.data).toHaveLength(3)
  const second = await world.list(`?limit=3&cursor=${first.next}`)
  expect(second).toMatchObject({ next: null })
  expect([...first.data, ...second.data]).toEqual((await world.list('?limit=100')).data)
  await world.look()
  expect((await world.get(`/v1/duplicates?cursor=${first.next}`)).status).toBe(400)
  for (const wrong of ['cursor=x', 'minProbability=2', 'minProbability=-1', 'kind=cat', 'limit=0', 'other=1'])
    expect((await world.get(`/v1/duplicates?${wrong}`)).status, wrong).toBe(400)
})

describe('decisions', () => {
  const decide = (a: string, b: string, decision: string, query = '', more: object = {}) =>
    world.post(`/v1/duplicates/decision${query}`, { a, b, decision, ...more })

  test.each(['link', 'keep_apart'])(
    'a dry run of %s appends nothing and shows what would become',
    async (decision) => {
      const head = world.engine.log.head()
      const { status, body } = await decide('user:z1', 'anonymous:z2', decision, '?dryRun=true')
      expect(status).toBe(200)
      expect(body.data).toMatchObject({ dryRun: true, results: null, refused: [], decision })
      expect(body.data.before).toHaveLength(2)
      expect(body.data.after).toHaveLength(decision === 'link' ? 1 : 2)
      expect(body.data.after[0].views.profile[0]).toMatchObject({ first_name: 'Zephyrine' })
      expect(world.engine.log.head()).toEqual(head)
      expect(await proposed()).toEqual(ALL)
    },
  )

  test('who may, and what is refused', async () => {
    const body = { a: 'user:z1', b: 'anonymous:z2', decision: 'link' }
    const url = '/v1/duplicates/decision'
    const { authorization } = { authorization: 'Bearer hw_r_test-read-token-0001' }
    expect((await world.post(url, body, {})).status).toBe(401)
    expect((await world.post(url, body, { authorization })).status).toBe(403)
    expect((await world.post('/v1/duplicates/run', {}, { authorization })).status).toBe(403)
    for (const [wrong, status] of [
      [{ ...body, decision: 'cut' }, 400],
      [{ ...body, stewart: 'kim' }, 400],
      [{ a: 'user:z1', decision: 'link' }, 400],
      [{ ...body, b: 'user:nobody' }, 404],
      [{ ...body, b: 'email:zephyrine@mail.example' }, 409],
    ] as const) {
      const answer = await world.post(url, wrong)
      expect(answer.status, JSON.stringify(wrong)).toBe(status)
    }
    expect(await proposed()).toEqual(ALL)
  })

  test('link makes one profile, and the pair vanishes at once', async () => {
    const { body } = await decide(idOf('left1'), idOf('right1'), 'link', '', {
      steward: 'kim',
      reason: 'called',
    })
    expect(body.data).toMatchObject({ dryRun: false, results: [{ status: 'appended' }] })
    expect(await proposed()).toEqual(ALL.slice(1))
    const event = await world.engine.log.at(body.position)
    expect(event).toMatchObject({ type: 'identity.linked', source: 'steward' })
    await caughtUp(world.engine)
    const { value } = await world.engine.store.members([idOf('left1')])
    expect(value.get(idOf('left1'))?.members).toContain(idOf('right1'))
    expect(await proposed()).toEqual(ALL.slice(1))
    expect((await decide(idOf('left1'), idOf('right1'), 'keep_apart')).status).toBe(409)
  })

  test('keep_apart holds at once, through another run, and through a restart', async () => {
    expect((await decide(idOf('left2'), idOf('right2'), 'keep_apart')).status).toBe(200)
    expect(await proposed()).toEqual(['left3 right3', 'z1 z2'])
    expect((await world.look()).run.kinds[0].candidates).toMatchObject({ kept: 2, decided: 1 })
    expect(await proposed()).toEqual(['left3 right3', 'z1 z2'])
    await world.close()
    world = await openWorld(directory.path)
    expect(await world.list()).toMatchObject({ data: [], run: null })
    await world.look()
    expect(await proposed()).toEqual(['left3 right3', 'z1 z2'])
  })

  test('a cut of other identities of theirs counts too, until it is lifted', async () => {
    const [one, other] = ['left3@mail.example', 'right3@work.example']
    const decision = (id: string, type: string) => ({
      ...{ id, source: 'crm', type, data: { steward: 'kim' } },
      identities: [`email:${one}`, `email:${other}`],
    })
    await send(world.engine, decision('cut3', 'identity.cut'))
    expect(await proposed()).toEqual(['z1 z2'])
    await send(world.engine, decision('lift3', 'identity.cut_lifted'))
    expect(await proposed()).toEqual(['left3 right3', 'z1 z2'])
  })
})

describe('the command line', () => {
  async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
    const url = world.app.server.listening
      ? `http://127.0.0.1:${Object(world.app.server.address()).port}`
      : await world.app.listen({ host: '127.0.0.1', port: 0 })
    const [out, err]: [string[], string[]] = [[], []]
    const plain = (text: string) => text
    const code = await main(args, {
      env: { HEADWATER_URL: url, HEADWATER_READ_TOKEN: READ_TOKEN, HEADWATER_WRITE_KEY: WRITE_KEY },
      clock: systemClock,
      out: (line) => out.push(line),
      err: (line) => err.push(line),
      style: { bold: plain, dim: plain, warn: plain },
      interactive: false,
      stdin: async () => Buffer.alloc(0),
      interruptible: (work) => work(new AbortController().signal),
    })
    return { code, out: out.join('\n'), err: err.join('\n') }
  }

  test('looks, and shows reasons with both values', async () => {
    const { code, out } = await run('duplicates', '--run', '--limit', '5')
    expect(code).toBe(0)
    expect(out).toMatch(/^1\. 99\.99 % one person {2}\+\d+\.\d bits: -\d+\.\d before any reason$/m)
    expect(out).toMatch(/birth_date +same +\+\d+\.\d {2}1984-03-09 \| 1984-03-09$/m)
    expect(out).toMatch(/last_name +close +\+\d+\.\d {2}Quandr?a?ry \| Quandr?a?ry$/m)
    expect(out).toContain('user:z1')
    expect(out).toMatch(/2 proposed$/m)
    expect(out).toMatch(/^person: \d+ profiles, \d+ pairs compared.*, 1 decided before/m)
    const json = await run('duplicates', '--json', '--kind', 'company')
    expect(JSON.parse(json.out)).toMatchObject({ data: [], next: null })
  })

  test('decides, and tries first if asked to', async () => {
    const head = world.engine.log.head()
    const tried = await run('duplicates', 'link', 'user:left3', 'anonymous:right3', '--dry-run')
    expect(tried).toMatchObject({ code: 0, err: '' })
    expect(tried.out).toContain('A dry run: nothing was appended.')
    expect(tried.out).toMatch(/after: 1 profile$/m)
    expect(world.engine.log.head()).toEqual(head)
    const decided = await run(
      'duplicates',
      'keep-apart',
      'user:left3',
      'anonymous:right3',
      '--reason',
      'asked',
    )
    expect(decided.out).toMatch(/kept apart from/)
    expect(decided.out).toMatch(/1 event appended/)
    expect(await proposed()).toEqual(['z1 z2'])
  })

  test.each([
    ['duplicates', 'merge', 'a', 'b'],
    ['duplicates', 'link', 'user:z1'],
    ['duplicates', 'link', 'nonsense', 'user:z1'],
    ['duplicates', '--dry-run'],
    ['duplicates', '--limit', '0'],
  ])('%s %s %s is a wrong command line', async (...args) => {
    expect((await run(...args)).code).toBe(2)
  })

  test('what the engine refuses is told', async () => {
    expect(await run('duplicates', 'link', 'user:z1', 'user:nobody')).toMatchObject({ code: 1 })
    expect((await run('duplicates', 'link', 'user:z1', 'email:zephyrine@mail.example')).err).toMatch(
      /one profile already/,
    )
  })
})

test('metrics count without naming', async () => {
  const text = await world.metrics.render()
  expect(text).toMatch(/headwater_duplicates_candidates 2/)
  expect(text).toMatch(/headwater_duplicates_runs_total 2/)
  expect(await world.metrics.render()).toMatch(
    /headwater_duplicates_decisions_total\{decision="keep_apart"\} 1/,
  )
})

test('an erasure leaves nothing of the person in what is proposed', { timeout: 60_000 }, async () => {
  expect(await proposed()).toEqual(['z1 z2'])
  const before = await world.list()
  await eraseNow(world.engine, idOf('z2'))
  expect(await world.list()).toMatchObject({ data: [], run: { candidates: before.run.candidates - 1 } })
  expect(world.engine.duplicates?.results()?.candidates.length).toBe(before.run.candidates - 1)
  const status = await world.look()
  expect(status).toMatchObject({ failure: null, run: { kinds: [{ profiles: { sparse: 1 } }, {}] } })
  expect(await proposed()).toEqual([])
})
