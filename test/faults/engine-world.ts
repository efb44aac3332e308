import { delimiter } from 'node:path'
import { expect } from 'vitest'
import type { EngineProcess } from '../support/engine-process.ts'

/** The PATH without whatever holds a nats-server: it isn't what these tests are about. */
export const WITHOUT_NATS = {
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !/sbin|local/.test(entry))
    .join(delimiter),
}

interface Results {
  readonly results: readonly {
    readonly status: string
    readonly position?: number
    readonly quarantineId?: string
  }[]
}

/** Somebody with an address of their own. */
export function identify(id: string): string {
  return JSON.stringify({
    id,
    source: 'web',
    type: 'cdp.identify',
    data: { userId: id, traits: { email: `${id}@example.com` } },
  })
}

/** Such that it is quarantined. */
export function malformed(id: string): string {
  return JSON.stringify({ id, source: 'web', type: 'cdp.identify', data: { userId: {} } })
}

/** Sends one event; undefined where no answer came. */
export async function send(engine: EngineProcess, body: string): Promise<Results['results'][0] | undefined> {
  return (await sendAll(engine, body))?.[0]
}

/** Sends an event, or a list of them; undefined where no answer came. */
export async function sendAll(engine: EngineProcess, body: string): Promise<Results['results'] | undefined> {
  const answer = await engine.post('/v1/events', body).catch(() => undefined)
  const parsed = (await answer?.json().catch(() => undefined)) as Results | undefined
  return parsed?.results
}

/** What was acknowledged is a duplicate now, at its position, and its person is known by the address that was sealed. */
export async function checkAcknowledged(
  engine: EngineProcess,
  acknowledged: ReadonlyMap<string, number>,
): Promise<void> {
  for (const [id, position] of acknowledged)
    expect(await send(engine, identify(id))).toMatchObject({ status: 'duplicate', position })
  const [id, position = 0] = [...acknowledged].at(-1) ?? []
  if (id === undefined) return
  const profile = await engine.get<{ readonly data: { readonly email: string } }>(
    `/v1/profiles/email:${id}@example.com?after=${position}`,
  )
  expect(profile.data.email).toBe(`${id}@example.com`)
}
