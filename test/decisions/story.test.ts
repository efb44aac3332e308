/**
 * Theorem: in the simulated company's year the web shop and billing contradict each other about the story's customer's phone
 * number, and the conflict's winner is what her profile shows; most people are contested by nobody.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { simulateYear } from '../../bench/simulator/year.ts'
import { type IntakeWorld, intakeWorld, NOON } from '../support/intake-world.ts'
import { type ProjectorWorld, projectorWorld } from '../support/projector-world.ts'

const year = simulateYear({ seed: 7, end: NOON, people: 60 })

let world: IntakeWorld
let views: ProjectorWorld
beforeAll(async () => {
  world = intakeWorld()
  const all = [...year.setup, ...year.deliveries]
  for (let at = 0; at < all.length; at += 500) {
    await world.send(...all.slice(at, at + 500).map(({ json }) => JSON.parse(json)))
  }
  views = projectorWorld(world)
  await views.foldAll()
})
afterAll(async () => {
  await views.close()
  await world.close()
})

it('the phone number is open, between the web and billing, by trust', async () => {
  const profiles = await views.rowsOf('profile')
  const mara = profiles.find(({ row }) => row['email'] === 'mara@example.com')
  expect(mara).toBeDefined()
  const conflicts = await views.rowsOf('conflict')
  const found = conflicts.find(({ key, part }) => key === mara?.key && part === 'phone')
  expect(found?.row).toMatchObject({ status: 'open', rule: 'rankedUnlessBlank', sources: ['erp', 'web'] })
  expect(found?.row['winner']).toMatchObject({ source: 'erp', value: mara?.row['phone'] })
})

it('whoever wins is what the profile shows; most people are contested by nobody', async () => {
  const profiles = new Map((await views.rowsOf('profile')).map(({ key, row }) => [key, row]))
  const conflicts = await views.rowsOf('conflict')
  for (const { key, part, row } of conflicts) {
    const winner: unknown = row['winner']
    expect(profiles.get(key)?.[part], `${part} of ${key}`).toEqual(Reflect.get(Object(winner), 'value'))
  }
  expect(conflicts.length).toBeGreaterThan(0)
  expect(new Set(conflicts.map(({ key }) => key)).size).toBeLessThan(profiles.size / 2)
})
