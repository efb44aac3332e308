/**
 * Theorem: on a running engine the command line shows whose company somebody's is and why, and how many belong to one; what
 * another rule would change is told before it is published, and then comes about; an erased person belongs to no company,
 * and leaves no address in its rows.
 */
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine } from '../../api/engine.ts'
import { publishedConfiguration } from '../../api/published-configuration.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { projections } from '../../projections/catalog.ts'
import { createWorld, READ_TOKEN, type World, WRITE_KEY } from '../api/world.ts'
import { run } from '../backup/support.ts'
import { caughtUp, eraseNow, openAt, send, temporaryDirectory } from '../erasure/support.ts'

let directory: ReturnType<typeof temporaryDirectory>
let engine: Engine
let world: World
let env: Readonly<Record<string, string>> = {}

const person = (id: string, email: string) => ({
  ...{ id, source: 'web', type: 'cdp.identify', data: { userId: id, traits: { email } } },
})

beforeAll(async () => {
  directory = temporaryDirectory()
  engine = (await openAt(join(directory.path, 'data'))).engine
  const { erasures, log, keyStore, store, liveRows, versions } = engine
  const open = (recorded: RecordedEvent) => openEvent(recorded, keyStore, registry)
  world = await createWorld({
    ...{ erasures, log, store, liveRows, versions, directory: keyStore, openEvent: open },
    projections: new Map(projections.map((projection) => [projection.name, projection])),
    publishedConfiguration: publishedConfiguration(log, projections, open),
  })
  await world.app.listen({ host: '127.0.0.1', port: 0 })
  env = {
    HEADWATER_URL: `http://127.0.0.1:${(world.app.server.address() as AddressInfo).port}`,
    HEADWATER_READ_TOKEN: READ_TOKEN,
    HEADWATER_WRITE_KEY: WRITE_KEY,
    HEADWATER_DATA: join(directory.path, 'data'),
  }
  await send(
    engine,
    person('jane', 'jane@acme.com'),
    person('bob', 'bob@acme.de'),
    person('ann', 'ann@gmail.com'),
    {
      ...{ id: 'a1', source: 'crm', type: 'account.created' },
      data: { account_id: '1', domain: 'acme.com', name: 'Acme\u001b[31m' },
    },
  )
  await caughtUp(engine)
}, 60_000)
afterAll(async () => {
  await world.close()
  await engine.stop()
  directory.remove()
})

const people = async (domain: string) => {
  const url = `/v1/profiles?kind=person&company_domain=${domain}&after=${engine.log.head().position}`
  const answer = await world.app.inject({ url, headers: { authorization: `Bearer ${READ_TOKEN}` } })
  return answer.json().data as readonly { readonly email: string }[]
}

test('show and why', async () => {
  const { out, code } = await run(['show', 'user:jane'], env)
  expect(code).toBe(0)
  expect(out).toMatch(/employer\n {2}Acme.* {2}acme\.com {2}profile [0-9a-f]{32}\n/)
  expect(out).toMatch(/companyByDomain, identity rules 1; mail address from web, .*, event jane/)
  expect(out).not.toContain('\u001b[31m')
  expect((await run(['show', 'user:bob'], env)).out).toContain('acme.de: no company of this domain is known')
  expect((await run(['show', 'user:ann'], env)).out).not.toContain('employer')
  expect((await run(['show', 'domain:acme.com'], env)).out).toMatch(
    /people of this company\n {2}1, listed at/,
  )
  expect((await run(['why', 'user:jane', 'company_domain'], env)).out).toMatch(
    /^company_domain is acme\.com: web sent jane@acme\.com on .* \(company by the domain of the mail address/,
  )
  expect((await run(['why', 'user:ann', 'company_domain'], env)).out).toMatch(
    /^company_domain has no value: web sent ann@gmail\.com/,
  )
})

test('a rule is tried, then published', async () => {
  const rules = join(directory.path, 'rules.json')
  const document = { kind: 'identity', rules: { companyByDomain: { aliases: { 'acme.de': 'acme.com' } } } }
  writeFileSync(rules, JSON.stringify(document))
  const tried = JSON.parse((await run(['try', rules, '--json'], env)).out)
  const profile = tried.diffs.find(({ projection }: { projection: string }) => projection === 'profile')
  expect(profile).toMatchObject({ added: 0, removed: 0, changed: 1, columns: { company_domain: 1 } })
  expect(profile.sample[0].fields).toMatchObject([
    {
      ...{ column: 'company_domain', from: 'acme.de', to: 'acme.com' },
      because: { to: [{ event: 'bob', source: 'web' }] },
    },
  ])
  expect(await people('acme.com')).toMatchObject([{ email: 'jane@acme.com' }])
  await send(engine, { id: 'r1', source: 'steward', type: 'rules.published', data: document })
  await caughtUp(engine)
  expect((await people('acme.com')).map(({ email }) => email).sort()).toEqual([
    'bob@acme.de',
    'jane@acme.com',
  ])
  writeFileSync(rules, JSON.stringify({ kind: 'identity', rules: { companyByDomain: { alias: {} } } }))
  const wrong = await run(['try', rules], env)
  expect(wrong.code).not.toBe(0)
  expect(wrong.err).toContain('could not be published')
})

test('whoever is forgotten belongs to nobody', async () => {
  await eraseNow(engine, engine.keyStore.find('user', 'jane') ?? '')
  await caughtUp(engine)
  expect((await people('acme.com')).map(({ email }) => email)).toEqual(['bob@acme.de'])
  const { out } = await run(['show', 'domain:acme.com'], env)
  expect(out).toMatch(/people of this company\n {2}1, listed at/)
}, 60_000)
