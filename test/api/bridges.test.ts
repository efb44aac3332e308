import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld } from '../support/intake-world.ts'
import type { World } from './world.ts'
import { AS_WRITER, createWorld } from './world.ts'

// Theorem: what the page on bridges says can be copied is well formed, and what it says arrives is taken, once.

const page = readFileSync(join(import.meta.dirname, '..', '..', 'api', 'BRIDGES.md'), 'utf8')

const blocks = [...page.matchAll(/(<!-- arrives -->\n)?```(yaml|json)\n([\s\S]*?)```/g)].map(
  ([, arrives, language, text = '']) => ({ arrives: arrives !== undefined, language, text }),
)

let engine: IntakeWorld
let world: World
beforeAll(async () => {
  engine = intakeWorld()
  world = await createWorld({ intake: engine.intake })
})
afterAll(async () => {
  await world.close()
  await engine.close()
})

const arriving = blocks.filter(({ arrives }) => arrives).map(({ text }) => text)

test('there is one arriving event for each bridge', () => {
  expect(arriving).toHaveLength([...page.matchAll(/^## /gm)].length)
})

test.each(blocks.map(({ language, text }) => [language, text] as const))(
  '%s: well formed',
  (language, text) => {
    const parsed: unknown = language === 'yaml' ? parse(text) : JSON.parse(text)
    expect(parsed).toBeTypeOf('object')
    for (const [, template = ''] of text.matchAll(/"InputTemplate": ("(?:[^"\\]|\\.)*")/g)) {
      // Placeholders for strings stand in quotes, those for objects don't.
      const filled = String(JSON.parse(template)).replaceAll(/(?<!")<[^<>]+>/g, '{}')
      expect(Object.keys(JSON.parse(filled))).toEqual(
        expect.arrayContaining(['id', 'source', 'type', 'data']),
      )
    }
  },
)

test.each(arriving)('taken, and known when it comes again: %s', async (payload) => {
  const headers = { ...AS_WRITER, 'content-type': 'application/cloudevents+json' }
  const send = async () =>
    (await world.app.inject({ method: 'POST', url: '/v1/events', headers, payload })).json().results
  expect(await send()).toMatchObject([{ status: 'appended' }])
  expect(await send()).toMatchObject([{ status: 'duplicate' }])
})
