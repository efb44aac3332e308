/**
 * Theorem: `open` prints an address that signs in, with the credentials that stand in the data directory or the
 * environment, and nothing where there are none or no engine answers; it presents them to nobody itself.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { World } from './world.ts'

const world = new World()
beforeAll(() => world.open())
afterAll(() => world.close())
beforeEach(() => {
  world.reset()
  world.routes['GET /healthz'] = () => [200, { status: 'ok' }]
})

test('with the credentials of the data directory', async () => {
  const ran = await world.run(['open'])
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  expect(ran.stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#token=kept-read&key=kept-write\n$/)
  expect(world.authorizations).toEqual(new Set([undefined]))
})

test('with those of the environment, written so that a fragment can hold them', async () => {
  const ran = await world.run(['open'], {
    env: { HEADWATER_READ_TOKEN: 'a b&c#d', HEADWATER_WRITE_KEY: 'w' },
  })
  const { hash } = new URL(ran.stdout.trim())
  expect(Object.fromEntries(new URLSearchParams(hash.slice(1)))).toEqual({ token: 'a b&c#d', key: 'w' })
})

test('without credentials, without an engine, or with arguments it says so', async () => {
  const none = await world.run(['open'], { env: { HEADWATER_DATA: '/nonexistent' } })
  expect(none).toMatchObject({ code: 1, stdout: '' })
  expect(none.stderr).toContain('HEADWATER_READ_TOKEN')
  const nobody = await world.run(['open'], { env: { HEADWATER_URL: 'http://127.0.0.1:1' } })
  expect(nobody).toMatchObject({ code: 1, stdout: '' })
  expect(nobody.stderr).toContain('is the engine running?')
  expect(await world.run(['open', 'it'])).toMatchObject({ code: 2, stdout: '' })
})
