/**
 * Theorem: published survivorship rules take the place of a view's own; what is wrong with them is said before they are published,
 * and ignored where it stands in the log. What a steward can't decide is refused, and appends nothing.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AS_READER } from '../api/world.ts'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'
import { disagreement, JANE, steward, WEB_PHONE } from './jane.ts'

let world: LivingWorld
const { conflicts, phone, resolve, post, send } = steward(() => world)
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

describe('rules by configuration', () => {
  test('published rules take the place of the view’s own, and ill-formed entries are refused', async () => {
    await world.send(...disagreement)
    const path = '/v1/rules/survivorship'
    const bad = { rules: { 'profile.phone': { rule: 'newest' }, 'profile.lifecycle': { rule: 'latest' } } }
    expect((await post(path, bad)).status).toBe(400)
    const tried = await post(`${path}?dryRun=true`, bad)
    expect(tried.data.problems.map((each) => each.code)).toEqual(['UnknownRule', 'NotRulable'])
    expect((await post(path, { rules: { 'profile.phone': { rule: 'latest' } } })).status).toBe(200)
    await expect.poll(phone).toMatchObject({ value: WEB_PHONE, rule: 'latest' })
    expect((await world.read(path)).body.data).toContainEqual(
      expect.objectContaining({
        view: 'profile',
        field: 'phone',
        rule: 'latest',
        default: 'rankedUnlessBlank',
      }),
    )
  })

  test('a bad entry in the log is ignored and shown; review keeps the field open', async () => {
    await world.send(...disagreement, {
      ...{ id: 'r1', source: 'admin', type: 'rules.published', time: '2025-07-01T00:00:00Z' },
      data: {
        kind: 'survivorship',
        rules: {
          'profile.phone': { rule: 'review' },
          'profile.name': { rule: 3 },
          'profile.x': {},
          nowhere: {},
        },
      },
    })
    await expect.poll(conflicts).toMatchObject([{ field: 'phone', status: 'review', rule: 'review' }])
    await expect.poll(async () => (await phone()).value).toBe(WEB_PHONE)
    const { problems } = (await world.read('/v1/rules/survivorship')).body
    expect(problems.map((each: { entry: string }) => each.entry)).toEqual([
      'profile.name',
      'profile.x',
      'nowhere',
    ])
  })
})

describe('what is refused', () => {
  test.each([
    ['/v1/conflicts/email:nobody@example.com/phone/resolution', { value: 'x' }, 404],
    [`/v1/conflicts/${JANE}/lifecycle/resolution`, { value: 'customer' }, 400],
    [`/v1/conflicts/${JANE}/seen/resolution`, { value: 1 }, 400],
    [`/v1/conflicts/${JANE}/phone/resolution`, { value: { a: 1 } }, 400],
    [`/v1/conflicts/${JANE}/phone/resolution`, { valeu: 'x' }, 400],
    [`/v1/profiles/${JANE}/locks`, { field: 'phone', expires_at: 'soon' }, 400],
    [`/v1/profiles/${JANE}/locks?dryRun=true`, { field: 'phone', expires_at: '2020-01-01T00:00:00Z' }, 400],
    [`/v1/profiles/${JANE}/locks`, { field: 'phone', expires_at: '2020-01-01T00:00:00Z' }, 400],
    [`/v1/profiles/${JANE}/locks`, { field: 'traits.', value: 'x' }, 400],
    [`/v1/profiles/${JANE}/locks`, { field: 'traits.__proto__', value: 'x' }, 400],
    [`/v1/profiles/${JANE}/locks`, { field: 'traits.n', value: 2 ** 53 }, 400],
    [`/v1/profiles/${JANE}/locks?dryRun=true`, { field: 'phone', value: '\ud800' }, 400],
    ['/v1/rules/survivorship', { steward: undefined, rules: {}, bye: 'x' }, 400],
    ['/v1/records/session/x/locks', { field: 'phone' }, 404],
    ['/v1/records/opportunity/none/locks', { field: 'amount', value: 1 }, 404],
  ])('%s %j', async (path, body, status) => {
    await world.send(...disagreement)
    const before = world.engine.log.head()
    expect((await resolve(path, body)).status).toBe(status)
    expect(world.engine.log.head()).toEqual(before)
  })

  test('without the write key', async () => {
    const answer = await send(`/v1/profiles/${JANE}/locks`, { steward: 'Kim', field: 'phone' }, AS_READER)
    expect([401, 403]).toContain(answer.status)
  })
})
