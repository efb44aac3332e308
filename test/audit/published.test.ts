// Theorem: an engine publishes every tree head that it signs on NATS, as the signed note that a verifier opens, and again
// to whoever connects later; what fails is tried again after waits that double up to a minute.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'nats'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { retryAfterMs, treeHeadSubject } from '../../api/audit/tree-head-publisher.ts'
import { openTreeHead, parseVerifierKey } from '../../engine/audit/verify.ts'
import { EngineProcess, freePort, READ_TOKEN } from '../support/engine-process.ts'
import { describeNats, testNatsServer } from '../support/nats-server.ts'

test('waits double from the first one on, up to a minute', () => {
  expect([1, 2, 3, 4].map((failures) => retryAfterMs(failures, 1_000))).toEqual([1_000, 2_000, 4_000, 8_000])
  expect(retryAfterMs(7, 1_000)).toBe(60_000)
  expect(retryAfterMs(10_000, 1_000)).toBe(60_000)
})

async function text(url: string): Promise<string> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${READ_TOKEN}` } })
  expect(answer.status).toBe(200)
  return answer.text()
}

describeNats('on NATS', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'headwater-tree-heads-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  test('a subscriber gets a signed tree head of what was sent, that the engine’s own key verifies', async () => {
    const server = await testNatsServer(join(directory, 'nats'), false)
    const engine = new EngineProcess(await freePort(), join(directory, 'data'), { NATS_URL: server.url })
    const client = await connect({ servers: server.url })
    try {
      const heads = client.subscribe(treeHeadSubject('default'))
      await client.flush()
      await engine.start()
      const event = { id: '1', source: 'web', type: 'cdp.identify', data: { userId: '1', traits: {} } }
      const answer = await engine.post('/v1/events', JSON.stringify(event))
      const { position } = (await answer.json()) as { readonly position: number }
      const key = parseVerifierKey((await text(`${engine.url}/v1/audit/key`)).trim())
      for await (const message of heads) {
        const head = openTreeHead(message.string(), key)
        expect(head.origin).toBe('headwater/default')
        if (head.size >= position) break
      }
    } finally {
      await engine.kill('SIGTERM')
      await client.close()
      await server.stop()
    }
  })
})
