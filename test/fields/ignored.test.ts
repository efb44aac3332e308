/**
 * Theorem: what somebody publishes past the routes' checks either is in force or is listed with the reason why it isn't, over
 * HTTP and in the terminal, however many definitions there are; whatever was defined can be retired, also where its object is
 * gone. Rules about defined fields are checked by the engine that has them, and a check without one says what it can't know.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../api/cli.ts'
import { defining } from '../api/defining.ts'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'
import { captured } from '../past/captured-terminal.ts'

let world: LivingWorld
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

const { admin, archive } = defining(() => world)

let next = 0
const said = (type: 'field.defined' | 'object.defined', data: object) => ({
  ...{ id: `raw-${next++}`, source: 'steward', type },
  data,
})
const field = (id: string, more: object) =>
  said('field.defined', { field_id: id, object: 'lead', type: 'text', ...more })

async function run(...args: readonly string[]) {
  const terminal = captured(world.env)
  const code = await main(args, terminal)
  return { code, out: terminal.outLines.join('\n'), err: terminal.errLines.join('\n') }
}

interface Ignored {
  readonly object: string
  readonly field: string | null
  readonly message: string
}

async function ignored(path: string): Promise<readonly string[]> {
  const { body } = await world.read(path)
  return body.ignored.map(({ object, field, message }: Ignored) => `${object}.${field}: ${message}`)
}

describe('what is published as it is', () => {
  test('is in force, or is listed with what speaks against it', async () => {
    await world.send(
      field('a', { field: 'shoe_size' }),
      field('b', { field: 'shoe_size' }),
      field('c', { field: 'Shoe Size' }),
      field('d', { field: 'name' }),
      field('e', { field: 'size', object: 'nothing' }),
      field('f', { field: 'gone', archived: true }),
    )
    expect((await world.read('/v1/fields')).body.data).toMatchObject([{ field_id: 'a' }])
    expect(await ignored('/v1/fields')).toEqual([
      'lead.shoe_size: shoe_size is defined already, as a',
      expect.stringMatching(/^lead\.Shoe Size: field is a lower-case letter/),
      'lead.name: lead has a field name already',
      'nothing.size: there is no view or object nothing, or it is archived',
    ])
    expect(await ignored('/v1/fields?object=nothing')).toHaveLength(1)
    const listed = await run('fields')
    expect(listed.out).toContain('lead.shoe_size  text, latest')
    expect(listed.err).toMatch(
      /^ignored: lead\.shoe_size \(steward, position \d+\): shoe_size is defined already/,
    )
  })

  test('is told where it is too much: the last objects’ fields are not just gone', async () => {
    const fields = Array.from({ length: 90 }, (_, i) => ({ field: `f${i}`, type: 'text' }))
    const objects = ['ant', 'bee', 'cow', 'dog', 'elk'].map((object) =>
      said('object.defined', { object, fields }),
    )
    await world.send(...objects, said('object.defined', { object: 'lead' }))
    const shown = (await world.read('/v1/objects')).body.data as { object: string; fields: unknown[] }[]
    expect(shown.map((each) => each.fields.length)).toEqual([90, 90, 90, 90, 40])
    const told = await ignored('/v1/objects')
    expect(told.filter((each) => each.startsWith('elk.f'))).toHaveLength(50)
    expect(told.at(0)).toMatch(
      /^elk\.f\d+: too many are defined: at most 100 fields of one object, 400 of objects in all$/,
    )
    expect(told.filter((each) => !each.startsWith('elk.'))).toEqual([
      'lead.null: object: object lead is a view',
    ])
    expect((await run('objects')).err.split('\n')).toHaveLength(51)
    const { status, body } = await admin('POST', '/v1/objects', {
      object: 'fox',
      fields: [{ field: 'x', type: 'text' }],
    })
    expect([status, body.errors[0].message]).toEqual([400, 'at most 400 fields in all'])
  })
})

test('a field of an object that is archived, and one that isn’t in force, can be archived', async () => {
  const visit = { object: 'visit', fields: [{ field: 'notes', type: 'text' }] }
  await world.send(
    said('object.defined', visit),
    field('v', { object: 'visit', field: 'room' }),
    field('w', { field: 'name' }),
  )
  await archive('/v1/objects/visit')
  expect(await ignored('/v1/fields?object=visit')).toHaveLength(1)
  await archive('/v1/fields/visit/room?by=kim')
  await archive('/v1/fields/lead/name')
  expect(await ignored('/v1/fields')).toEqual([])
  expect((await admin('DELETE', '/v1/fields/visit/room')).status).toBe(404)
  // It stays gone when the object comes back.
  expect((await admin('POST', '/v1/objects', visit)).status).toBe(200)
  const [found] = (await world.read('/v1/objects')).body.data
  expect(found.fields.map((each: { field: string }) => each.field)).toEqual(['notes'])
})

test('rules about a defined field: the engine knows it, and a check without one says that it doesn’t', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-rules-'))
  const file = join(directory, 'rules.json')
  try {
    await world.send(field('a', { field: 'shoe_size' }))
    writeFileSync(file, JSON.stringify({ 'lead.shoe_size': { rule: 'first' } }))
    const alone = await run('rules', 'check', file)
    expect(alone.code).toBe(1)
    expect(alone.err).toMatch(/lead has no such field.*\n.*only built-in fields.*\n.*check <file> --running$/)
    expect(await run('rules', 'check', file, '--running')).toMatchObject({
      code: 0,
      out: 'These rules are in order.',
    })
    writeFileSync(file, JSON.stringify({ 'lead.shoe_size': { rule: 'newest' } }))
    expect((await run('rules', 'check', file, '--running')).err).toMatch(
      /^lead\.shoe_size: the rules are latest/,
    )
    writeFileSync(file, JSON.stringify({ 'lead.owner': { rule: 'newest' } }))
    expect((await run('rules', 'check', file)).err).not.toContain('--running')
    expect((await run('rules', 'publish', file, '--running')).code).toBe(2)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
