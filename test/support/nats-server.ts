import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { describe } from 'vitest'
import type { NatsServer } from '../../api/nats-server.ts'
import { startNatsServer } from '../../api/nats-server.ts'

const hasNatsServer = (process.env['PATH'] ?? '')
  .split(delimiter)
  .some((entry) => entry !== '' && existsSync(join(entry, 'nats-server')))

if (!hasNatsServer && process.env['CI'] === 'true') {
  throw new Error('the NATS tests need nats-server on the PATH, and under CI=true they may not be skipped')
}

/** A suite that needs a real nats-server; without one it is skipped, and said so by name. */
export function describeNats(name: string, suite: () => void): void {
  if (!hasNatsServer) console.warn(`skipped, there is no nats-server on the PATH: ${name}`)
  describe.skipIf(!hasNatsServer)(name, suite)
}

/** A nats-server of the test's own, on a free port of loopback. */
export async function testNatsServer(directory: string, jetstream: boolean): Promise<NatsServer> {
  const started = await startNatsServer({
    directory,
    port: 0,
    jetstream,
    maxPayloadBytes: 8 * 1024 * 1024,
    path: process.env['PATH'] ?? '',
  })
  if (E.isLeft(started)) throw new Error(started.left)
  return started.right
}
