/**
 * Theorem: a past moment is by what was published then, whatever build serves: where builds are held, after a switch and after a
 * rollback alike. After an erasure no route shows of any moment what was destroyed, from the log's index or from read models
 * that are built; what is left stands where it stood.
 */
import { expect, test } from 'vitest'
import { eraseNow } from '../erasure/support.ts'
import { servedEngine } from './served-engine.ts'

const source = (id: string, name: string, priority: number) => ({
  ...{ id, source: 'crm', type: 'source.registered', data: { source: name, name, priority } },
})
const phone = (id: string, from: string, number: string) => ({
  ...{ id, source: from, type: 'cdp.identify', data: { userId: 'a', traits: { phone: number } } },
})
const [OF_WEB, OF_ERP] = ['+442079460018', '+442079460019']

test('held, switched, rolled back', async () => {
  const world = await servedEngine({ builds: 'hold' })
  const { engine } = world
  await world.send(source('r1', 'web', 1), source('r2', 'erp', 2))
  await world.send(phone('1', 'web', OF_WEB), phone('2', 'erp', OF_ERP))
  await engine.versions.switchTo('switch', 'profile', undefined)
  const { position: before } = engine.log.head()
  await world.send(source('r3', 'web', 3))
  const { position: after } = engine.log.head()
  const phoneAt = async (query: string) => {
    const one = await world.read(`/v1/profiles/user:a?${query}`)
    expect(one.status, one.text).toBe(200)
    return one.body.data.phone
  }
  const listedAt = async (position: number) =>
    (await world.read(`/v1/profiles?asOf=${position}&wait=30000`)).body.data[0].phone
  const check = async (serving: string) => {
    expect(await phoneAt('')).toBe(serving)
    for (const of of [phoneAt.bind(undefined, `asOf=${before}`), () => listedAt(before)])
      expect(await of()).toBe(OF_WEB)
    for (const of of [phoneAt.bind(undefined, `asOf=${after}`), () => listedAt(after)])
      expect(await of()).toBe(OF_ERP)
  }
  await check(OF_WEB)
  await engine.versions.switchTo('switch', 'profile', undefined)
  await check(OF_ERP)
  await engine.versions.switchTo('rollback', 'profile', undefined)
  await check(OF_WEB)
  await world.close()
}, 60_000)

const DESTROYED = ['zephyrine@mail.example', 'Zephyrine', '+442079460021', 'zeph-browser']

test('erased', async () => {
  const world = await servedEngine()
  const { engine } = world
  await world.send({
    ...{ id: 'z', source: 'web', type: 'cdp.identify' },
    data: {
      anonymousId: 'zeph-browser',
      traits: { email: 'zephyrine@mail.example', name: 'Zephyrine', phone: '+442079460021' },
    },
  })
  await world.send({
    ...{ id: 'l', source: 'crm', type: 'lead.created' },
    data: { lead_id: 'L1', email: 'zephyrine@mail.example', name: 'Zephyrine' },
  })
  await world.send({
    ...{ id: 'b', source: 'web', type: 'cdp.identify' },
    data: { anonymousId: 'bob-browser', traits: { email: 'bob@mail.example', name: 'Bob' } },
  })
  const { position } = engine.log.head()
  const id = engine.keyStore.find('email', 'zephyrine@mail.example') ?? ''
  const moment = `asOf=${position}&wait=30000`
  const paths = [
    `/v1/profiles/${id}?explain=true&events=100&${moment}`,
    `/v1/profiles/${id}/timeline?${moment}`,
    `/v1/profiles/${id}/identity?${moment}`,
    `/v1/profiles/${id}/changes?to=${position}`,
    `/v1/profiles?explain=true&${moment}`,
    `/v1/leads?explain=true&${moment}`,
    `/v1/identity/review?${moment}`,
    `/v1/conflicts?${moment}`,
  ]
  const texts = async () => {
    const answers = await Promise.all(paths.map((path) => world.read(path)))
    for (const [i, { status, text }] of answers.entries()) expect(status, `${paths[i]} ${text}`).toBe(200)
    return answers.map(({ text }) => text)
  }
  // They would show it, if it weren't destroyed.
  const before = (await texts()).join()
  for (const value of DESTROYED) expect(before).toContain(value)
  await eraseNow(engine, id)
  const after = await texts()
  for (const [i, text] of after.entries())
    for (const value of DESTROYED) expect(text.includes(value), `${paths[i]} shows ${value}`).toBe(false)
  const [, timeline = '', identity = '', , profiles = ''] = after
  expect(JSON.parse(timeline).data.map((event: { id: string }) => event.id)).toEqual(['l', 'z'])
  expect(JSON.parse(identity).data.identities.length).toBeGreaterThanOrEqual(3)
  expect(profiles).toContain('Bob')
  await world.close()
}, 60_000)
