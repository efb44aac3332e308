import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import type { OpenedEvent } from '../../engine/privacy/sealing.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld, NOON } from '../support/intake-world.ts'
import type { World } from './world.ts'
import { createWorld, WRITE_KEY } from './world.ts'

/** The api over a real intake in memory, another one for each test, and a Segment client's requests to it. */

const LIMIT_BYTES = 8 * 1024 * 1024
export const BASIC = { authorization: `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}` }

/** An instant so many ms from that of the intake's clock, as clients write it. */
export const at = (offsetMs: number) => new Date(NOON + offsetMs).toISOString()

/** To be called once, at the top of a test file. */
export function segmentWorld() {
  let engine: IntakeWorld
  let world: World
  beforeAll(async () => {
    world = await createWorld({
      intake: { submit: (batch, context) => engine.intake.submit(batch, context) },
      configuration: {
        host: '127.0.0.1',
        allowedHosts: [],
        bodyLimitBytes: LIMIT_BYTES,
        afterWaitMs: 50,
        pageLimit: 100,
      },
    })
  })
  afterAll(() => world.close())
  beforeEach(() => {
    engine = intakeWorld({ queueEvents: 20_000, queueBytes: 64 * 1024 * 1024 })
  })
  afterEach(() => engine.close())

  const post = (path: string, body: unknown, headers: Record<string, string> = BASIC) => {
    const payload = typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body)
    return world.app.inject({ method: 'POST', url: path, headers, payload })
  }
  return {
    engine: () => engine,
    app: () => world.app,
    post,
    /** Posts what must be taken, and gives what the log has then. */
    async logged(path: string, body: unknown, headers?: Record<string, string>) {
      const answer = await post(path, body, headers)
      expect(answer.statusCode, answer.body).toBe(200)
      expect(answer.json().success).toBe(true)
      return engine.events()
    },
  }
}

export function only(events: readonly OpenedEvent[]): OpenedEvent {
  expect(events).toHaveLength(1)
  const [event] = events
  if (event === undefined) throw new Error('the log is empty')
  return event
}
