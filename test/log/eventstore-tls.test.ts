/**
 * Theorem: a log in an EventStoreDB is reached over TLS by what its connection string says: authority, name and password, the user's
 * own certificate; where one of them is wrong it doesn't open, and what is told of that holds no secret.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { systemClock } from '../../engine/clock.ts'
import { openEventStore } from '../../engine/log/eventstore.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../esdb/certificate.ts'
import { serve, TLS } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { anEvent, appends, collect } from './events.ts'
import { type TemporaryDirectory, temporaryDirectory } from './support.ts'

/** To a server of ours two secrets, to EventStoreDB one: whoever uses ours as a log has to make them one. */
const PASSWORD = 'a-pass@word:of/ours'

let directory: TemporaryDirectory
let server: EsdbServer

beforeEach(async () => {
  directory = temporaryDirectory()
  writeFileSync(at('ca.crt'), CERTIFICATE)
  writeFileSync(at('user.crt'), CERTIFICATE)
  writeFileSync(at('user.key'), PRIVATE_KEY)
  server = await serve(memoryBackend(), {
    tls: TLS,
    anonymous: false,
    credentials: { writeKey: PASSWORD, readToken: PASSWORD },
    maxAppendBytes: 4 * 1024 * 1024,
  })
})

afterEach(async () => {
  await server.stop()
  directory.remove()
})

const at = (name: string): string => join(directory.path, name)
const address = (options: string, password = PASSWORD): string =>
  `esdb://admin:${encodeURIComponent(password)}@localhost:${server.port}?tls=true${options}`
const open = (connectionString: string) =>
  openEventStore(connectionString, { indexPath: at('log-index.sqlite'), clock: systemClock, patienceMs: 300 })

it.each([
  ['an authority', () => `&tlsCAFile=${at('ca.crt')}`],
  [
    "a user's certificate",
    () => `&tlsCAFile=${at('ca.crt')}&userCertFile=${at('user.crt')}&userKeyFile=${at('user.key')}`,
  ],
])('with %s, a name and a password it is read and written', async (_what, options) => {
  const opened = await open(address(options()))
  if (E.isLeft(opened)) throw new Error(JSON.stringify(opened.left))
  const log = opened.right
  const events = Array.from({ length: 20 }, (_, i) => anEvent({ stream: `deal-${i % 3}` }))
  expect((await log.append(appends(...events))).every(E.isRight)).toBe(true)
  expect((await collect(log.read())).map(({ id }) => id)).toEqual(events.map(({ id }) => id))
  await log.close()
})

it.each([
  ['a wrong password', () => address(`&tlsCAFile=${at('ca.crt')}`, 'another-one')],
  ['an authority that nobody knows', () => address('')],
  ['no TLS', () => `esdb://admin:${encodeURIComponent(PASSWORD)}@localhost:${server.port}?tls=false`],
])('with %s it does not open, and nobody is told the password', async (_what, connectionString) => {
  const opened = await open(connectionString())
  expect(opened).toMatchObject({ left: { _tag: 'Unreachable' } })
  expect(JSON.stringify(opened)).not.toMatch(/another-one|a-pass/)
})
