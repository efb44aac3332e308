/**
 * Theorem: the engine takes the simulated year as it is meant: every event but the intended defects passes its codec,
 * every repetition is recognised, and in the views the story's customer stands with billing's phone number over the
 * web's, joined to somebody else by the tablet, until a steward cuts the two apart.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Delivery } from '../../bench/simulator/noise.ts'
import { simulateYear } from '../../bench/simulator/year.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import type { Row } from '../../engine/store/table.ts'
import { type IntakeWorld, intakeWorld, NOON } from '../support/intake-world.ts'
import { type ProjectorWorld, projectorWorld } from '../support/projector-world.ts'

const year = simulateYear({ seed: 7, end: NOON, people: 150 })
const { story } = year

let world: IntakeWorld
let views: ProjectorWorld
const fates = new Map<Delivery, IntakeResult>()

async function submit(deliveries: readonly Delivery[]): Promise<void> {
  for (let at = 0; at < deliveries.length; at += 500) {
    const batch = deliveries.slice(at, at + 500)
    const results = await world.send(...batch.map(({ json }) => JSON.parse(json)))
    for (const [index, result] of results.entries()) {
      const delivery = batch[index]
      if (delivery !== undefined) fates.set(delivery, result)
    }
  }
}

beforeAll(async () => {
  world = intakeWorld()
  await submit(year.setup)
  await submit(year.deliveries)
  views = projectorWorld(world)
  await views.foldAll()
})
afterAll(async () => {
  await views.close()
  await world.close()
})

const profileOf = async (email: string): Promise<readonly Row[]> =>
  (await views.rowsOf('profile')).map(({ row }) => row).filter((row) => row['email'] === email)

describe('the intake', () => {
  it('appends every event, recognises every repetition, and keeps every defect in quarantine', () => {
    const met: Record<string, number> = {}
    for (const [{ kind }, { status }] of fates) met[`${kind} ${status}`] = (met[`${kind} ${status}`] ?? 0) + 1
    const count = (kind: Delivery['kind']) =>
      [...year.setup, ...year.deliveries].filter((each) => each.kind === kind).length
    expect(count('repetition')).toBeGreaterThan(20)
    expect(met).toEqual({
      'event appended': count('event'),
      'repetition duplicate': count('repetition'),
      'defect quarantined': 5,
    })
  })

  it('says of each defect what is wrong with it', () => {
    const reasons = [...fates.values()].flatMap((fate) =>
      fate.status === 'quarantined' ? [fate.reason] : [],
    )
    const wrong = ['invalid_data', 'invalid_envelope', 'id_reused', 'invalid_time', 'schema_newer']
    expect(reasons.sort()).toEqual(wrong.sort())
  })

  it('folds all of it: nothing is set aside as poison', async () => {
    expect((await views.reader.poison(10)).value).toEqual([])
  })
})

describe('the story', () => {
  it('has Mara with the number that billing has on file, though the web heard a newer one', async () => {
    const [mara, ...others] = await profileOf(story.email)
    expect(others).toEqual([])
    expect(mara).toMatchObject({
      phone: story.billingPhone,
      lifecycle: 'customer',
      name: 'Mara Quillfeather',
    })
    expect(story.billingPhone).not.toBe(story.webPhone)
    const opened = await world.events()
    const spoken = opened.flatMap(({ source, normalised, time }) => {
      const phone = normalised['traits.phone'] ?? normalised['phone']
      return phone === story.webPhone || phone === story.billingPhone ? [{ source, phone, time }] : []
    })
    expect(new Set(spoken.map(({ source, phone }) => `${source} ${phone}`))).toEqual(
      new Set([`web ${story.webPhone}`, `erp ${story.billingPhone}`]),
    )
  })

  it('joins her to Otto, so that he is nobody of his own and his name is on her', async () => {
    expect(await profileOf(story.otherEmail)).toEqual([])
    expect((await profileOf(story.email))[0]).toMatchObject({
      first_name: 'Otto',
      company: 'Tin Kettle Canteen',
    })
  })

  it('has her deal won, her case open, and orders that billing agrees with', async () => {
    const deals = await views.rowsOf('opportunity')
    expect(deals.map(({ row }) => row).filter((row) => row['opportunity_id'] === 'O-mara')).toMatchObject([
      { status: 'won', amount: 55_800_000 },
    ])
    const types = (await world.events())
      .filter(({ data }) => data['case_id'] === 'case-mara')
      .map(({ type }) => type)
    expect(types).toContain('case.reopened')
    expect(types).not.toContain('case.closed')
  })

  it('lets a steward take the two apart', async () => {
    const identities = [
      { namespace: 'email', value: story.otherEmail },
      { namespace: 'anonymous', value: story.sharedDevice },
    ]
    const data = { steward: 'a steward', identities }
    await world.sendOne({ id: 'cut-1', source: 'console', type: 'identity.cut', data })
    await views.foldAll()
    expect((await profileOf(story.email))[0]).toMatchObject({ first_name: 'Mara', company: 'Lantern Café' })
    expect((await profileOf(story.otherEmail))[0]).toMatchObject({ first_name: 'Otto', phone: null })
  })
})
