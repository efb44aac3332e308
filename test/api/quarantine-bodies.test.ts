import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { quarantineBodies, resubmitKnown } from '../../api/quarantine-bodies.ts'
import type { EngineIntake } from '../../engine/intake/intake.ts'
import type { Quarantine } from '../../engine/intake/quarantine.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { AS_WRITER, createWorld } from './world.ts'

// Theorem: a kept body comes into the log once at most, whoever sends it again and however often; it counts as
// resubmitted exactly when the log links it; and of events that were too new, none is passed over.

let world: IntakeWorld
beforeEach(() => {
  world = intakeWorld()
})
afterEach(() => world.close())

const good = (id: string) => ({ id, type: 'cdp.track', data: { event: 'Seen', userId: 'u1' } })

async function keep(id: string): Promise<string> {
  const result = await world.sendOne({ ...good(id), data: { event: 'Seen', userId: {} } })
  if (result.status !== 'quarantined') throw new Error(`expected a refusal, not ${result.status}`)
  return result.quarantineId
}

async function links() {
  return (await world.events()).filter(({ type }) => type === 'event.resubmitted')
}

describe('a kept body', () => {
  it('comes with its message', async () => {
    const id = await keep('1')
    const bodies = quarantineBodies(world.quarantine, world.intake)
    const opened = await bodies.open(id)
    expect(opened?.message).toMatch(/userId/)
    expect(JSON.parse(Buffer.from(opened?.bytes ?? []).toString())).toMatchObject({ id: '1' })
    expect(await bodies.open('0'.repeat(32))).toBeUndefined()
  })

  it('is corrected once; its link names the position', async () => {
    const id = await keep('1')
    const bodies = quarantineBodies(world.quarantine, world.intake)
    const answer = await bodies.resubmit(id, good('2'))
    if (answer._tag !== 'Submitted' || answer.result.status !== 'appended') throw new Error(answer._tag)
    const { position } = answer.result
    expect(await links()).toMatchObject([
      { id: `resubmitted-${id}-${position}`, data: { quarantine_id: id, position } },
    ])
    for (const corrected of [undefined, good('2'), good('3')])
      expect(await bodies.resubmit(id, corrected)).toEqual({ _tag: 'AlreadyResubmitted' })
    expect(await links()).toHaveLength(1)
  })

  it('is corrected once, though two do it at the same time', async () => {
    const id = await keep('1')
    const bodies = quarantineBodies(world.quarantine, world.intake)
    const answers = await Promise.all(['2', '3', '4'].map((other) => bodies.resubmit(id, good(other))))
    expect(answers.map(({ _tag }) => _tag)).toEqual(['Submitted', 'AlreadyResubmitted', 'AlreadyResubmitted'])
    expect(await links()).toHaveLength(1)
  })

  it('that is refused again stays open', async () => {
    const id = await keep('1')
    const bodies = quarantineBodies(world.quarantine, world.intake)
    expect(await bodies.resubmit(id, undefined)).toMatchObject({ result: { status: 'quarantined' } })
    expect(await bodies.resubmit(id, good('2'))).toMatchObject({ result: { status: 'appended' } })
  })

  it('whose link is refused stays open, and a second try links the same event', async () => {
    const id = await keep('1')
    const refusing: EngineIntake = {
      ...plain(world.intake),
      record: async (event) => ({
        status: 'refused',
        id: event.id,
        refusal: { code: 'read_only', message: 'no room' },
      }),
    }
    const first = await quarantineBodies(world.quarantine, refusing).resubmit(id, good('2'))
    expect(first).toMatchObject({ result: { status: 'appended' } })
    expect(world.quarantine.get(id)?.resubmitted).toBeUndefined()
    const again = await quarantineBodies(world.quarantine, world.intake).resubmit(id, good('2'))
    expect(again).toMatchObject({ result: { status: 'duplicate' } })
    expect(world.quarantine.get(id)?.resubmitted).toBeDefined()
    expect(await links()).toHaveLength(1)
  })

  it('that was resubmitted is a 409 over HTTP, even before the view knows', async () => {
    const id = await keep('1')
    const http = await createWorld({ quarantine: quarantineBodies(world.quarantine, world.intake) })
    const resubmit = () =>
      http.app.inject({
        method: 'POST',
        url: `/v1/quarantine/${id}/resubmit`,
        headers: AS_WRITER,
        payload: { event: good('2') },
      })
    expect((await resubmit()).statusCode).toBe(200)
    const again = await resubmit()
    expect([again.statusCode, again.json().type]).toEqual([409, 'urn:headwater:problem:already_resubmitted'])
    http.log.push({})
    const waiting = resubmit()
    http.commit(1, [{ projection: 'quarantine', key: id, rows: { resubmitted_position: 2 } }])
    expect((await waiting).json()).toMatchObject({ status: 409, position: 2 })
    await http.close()
  })
})

/** Its methods, to put others in their place. */
function plain(intake: EngineIntake): EngineIntake {
  return {
    submit: (batch, context) => intake.submit(batch, context),
    record: (event) => intake.record(event),
    learn: (type, data) => intake.learn(type, data),
    lose: (from, until) => intake.lose(from, until),
    queue: intake.queue,
    drain: () => intake.drain(),
    close: () => intake.close(),
  }
}

describe('events that were too new', () => {
  const bodyOf = (n: number) => Buffer.from(JSON.stringify(good(`n${n}`)))

  async function keepTooNew(count: number, received: (n: number) => number): Promise<void> {
    const batch = Array.from({ length: count }, (_, n) => ({
      body: bodyOf(n),
      reason: 'schema_newer' as const,
      message: 'schema 9 is newer than 1',
      source: 'web',
      id: `n${n}`,
      type: 'cdp.track',
      received: received(n),
    }))
    for (const kept of await world.quarantine.put(batch)) expect(kept._tag).toBe('Right')
  }

  it('are all taken, more than a page of them, and once', async () => {
    // Many of one instant: the pages must break within it.
    const count = 600
    await keepTooNew(count, (n) => world.clock.nowMs() - (n % 3))
    let largest = 0
    const watched: Quarantine = {
      put: (batch) => world.quarantine.put(batch),
      get: (id) => world.quarantine.get(id),
      list(query) {
        const page = world.quarantine.list(query)
        largest = Math.max(largest, page.length)
        return page
      },
      markResubmitted: (id) => world.quarantine.markResubmitted(id),
      expire: () => world.quarantine.expire(),
      forget: (names, since) => world.quarantine.forget(names, since),
      usedBytes: world.quarantine.usedBytes,
      close: () => world.quarantine.close(),
    }
    expect(await resubmitKnown(watched, world.intake)).toBe(count)
    expect(largest).toBeLessThan(count)
    expect(await links()).toHaveLength(count)
    expect(await resubmitKnown(world.quarantine, world.intake)).toBe(0)
    expect(await links()).toHaveLength(count)
  })

  it('that are still too new stay', async () => {
    const body = Buffer.from(JSON.stringify({ ...good('1'), schema: 999 }))
    const refused = {
      body,
      reason: 'schema_newer',
      message: 'newer',
      source: 'web',
      type: 'cdp.track',
    } as const
    await world.quarantine.put([{ ...refused, received: world.clock.nowMs() }])
    expect(await resubmitKnown(world.quarantine, world.intake)).toBe(0)
    expect(await world.events()).toEqual([])
  })
})
