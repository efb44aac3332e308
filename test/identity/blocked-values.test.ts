// Theorem: a value that stands for nobody never becomes an identity, one of a shared mailbox only where nobody else is
// named; data stays as it was sent, the answer says what was left out, and an event sent again is the same event whatever
// rules were published in between.
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DEFAULT_BLOCKED } from '../../engine/events/blocked-values.ts'
import { recall } from '../../engine/intake/recall.ts'
import { intakeWorld } from '../support/intake-world.ts'

const verdict = (namespace: string, value: string) => DEFAULT_BLOCKED.verdict({ namespace, value })

describe('a value', () => {
  test.each([
    ['user', 'null'],
    ['user', ' NULL '],
    ['user', '0'],
    ['anonymous', '00000000-0000-0000-0000-000000000000'],
    ['device', '--'],
    ['erp', 'Anonymous'],
    ['contact', '[object Object]'],
    ['account', 'unknown'],
    ['phone', '+440000000000'],
    ['phone', '1111111'],
    ['email', 'test@test.com'],
    ['email', 'none@none.org'],
    ['email', 'unknown@unknown.com'],
    ['email', 'null'],
  ])('%s %s names nobody', (namespace, value) => expect(verdict(namespace, value)).toBe('nobody'))

  test.each([
    ['email', 'info@example.com'],
    ['email', 'no-reply@example.com'],
  ])('%s %s is shared', (namespace, value) => expect(verdict(namespace, value)).toBe('shared'))

  test.each([
    ['user', '10'],
    ['user', 'nullable'],
    ['user', 'test'],
    ['phone', '+442079460018'],
    ['email', 'test@example.com'],
    ['email', 'anna@anna.com'],
    ['email', 'informatics@example.com'],
    ['domain', 'example.com'],
    ['custom', 'info@example.com'],
  ])('%s %s counts', (namespace, value) => expect(verdict(namespace, value)).toBeUndefined())
})

describe('the intake', () => {
  let world: ReturnType<typeof intakeWorld>
  beforeEach(() => {
    world = intakeWorld()
  })
  afterEach(() => world.close())

  const identify = (id: string, userId: string, email: string) => ({
    id,
    source: 'web',
    type: 'cdp.identify',
    data: { userId, traits: { email } },
  })
  const publish = (id: string, rules: unknown) => ({
    id,
    source: 'crm',
    type: 'rules.published',
    data: { kind: 'identity', rules },
  })
  const named = async (): Promise<readonly string[]> =>
    ((await world.events()).at(-1)?.identities ?? []).map(({ namespace }) => namespace)

  test('leaves it out, says so, and keeps the data', async () => {
    expect(await world.sendOne(identify('1', 'null', 'jane@example.com'))).toMatchObject({
      status: 'appended',
      blocked: ['user'],
    })
    expect(await named()).toEqual(['email'])
    expect((await world.events()).at(-1)?.data).toEqual({
      userId: 'null',
      traits: { email: 'jane@example.com' },
    })
    expect(world.keyStore.find('user', 'null')).toBeUndefined()
    expect(await world.sendOne(identify('2', '42', 'jane@example.com'))).not.toHaveProperty('blocked')
  })

  test('a shared mailbox names whoever has no other name', async () => {
    expect(await world.sendOne(identify('1', '42', 'info@example.com'))).toMatchObject({ blocked: ['email'] })
    expect(await named()).toEqual(['user'])
    expect(await world.sendOne(identify('2', 'null', 'info@example.com'))).toMatchObject({
      blocked: ['user'],
    })
    expect(await named()).toEqual(['email'])
  })

  test("a steward's decision stands", async () => {
    await world.sendOne({
      ...{ id: '1', source: 'crm', type: 'identity.cut', data: { steward: 'kim' } },
      identities: ['user:42', 'email:info@example.com'],
    })
    expect(await named()).toEqual(['user', 'email'])
  })

  test('published lists take the place of the default ones, after a restart too', async () => {
    const rules = publish('r', { blocked: { values: ['guest'], mailboxes: [] } })
    expect(await world.sendOne(rules)).toMatchObject({ status: 'appended' })
    const again = intakeWorld({ log: world.log, keyStore: world.keyStore })
    await recall(world.log, again.intake)
    for (const [i, { sendOne }] of [world, again].entries()) {
      await sendOne(identify(`${i}a`, 'Guest', 'info@example.com'))
      expect(await named()).toEqual(['email'])
      await sendOne(identify(`${i}b`, 'null', 'info@example.com'))
      expect(await named()).toEqual(['user', 'email'])
    }
    await again.intake.close()
    await again.quarantine.close()
  })

  test('rules that cannot be read wait in quarantine', async () => {
    expect(await world.sendOne(publish('r', { limits: { email: 'five' } }))).toMatchObject({
      status: 'quarantined',
      reason: 'invalid_data',
      message: 'rules/limits/email must be a whole number from 1 to 10000',
    })
  })

  test('what is sent again is the same event, whatever was published in between', async () => {
    const value = fc.constantFrom('null', 'guest', 'u1', 'u2')
    const email = fc.constantFrom('info@example.com', 'team-x@example.com', 'jane@example.com')
    const document = fc.constantFrom(
      {},
      { blocked: { values: [] } },
      { blocked: { values: ['guest'] } },
      { blocked: { mailboxes: [] } },
      { blocked: { mailboxes: ['team-x'] } },
    )
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(value, email), { minLength: 1 }),
        document,
        document,
        async (people, ...rules) => {
          run += 1
          const events = people.map(([user, address], i) => ({
            ...{ id: `${run}-${i}`, source: 'web', type: 'thing.done', data: { i } },
            identities: [`user:${user}`, `email:${address}`],
          }))
          await world.sendOne(publish(`${run} first`, rules[0]))
          for (const result of await world.send(...events)) expect(result.status).toBe('appended')
          await world.sendOne(publish(`${run} then`, rules[1]))
          for (const result of await world.send(...events)) expect(result.status).toBe('duplicate')
          const other = events.map((event) => ({ ...event, identities: [...event.identities, 'user:u3'] }))
          for (const result of await world.send(...other))
            expect(result).toMatchObject({ reason: 'id_reused' })
        },
      ),
      { numRuns: 60 },
    )
  })
})
