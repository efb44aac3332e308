/**
 * Theorem: `headwater import` ends with the exit code that says how much of the file is in the log, names what isn't by its
 * line, and goes on where it was interrupted.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { mappingDocument } from '../import/support.ts'
import { World } from './world.ts'

const world = new World()
beforeAll(() => world.open())
afterAll(() => world.close())
beforeEach(() => world.reset())

describe('import', () => {
  const importing = (...args: string[]) =>
    world.run(['import', '--map', world.files.path('mapping.json'), ...args])

  test('--dry-run prints ten events and sends nothing', async () => {
    const file = world.files.write(
      'dry.csv',
      `a,b\n${Array.from({ length: 20 }, (_, i) => `${i},x`).join('\n')}\n`,
    )
    const ran = await importing('--dry-run', file)
    expect(ran.code).toBe(0)
    expect(ran.stdout.match(/"specversion"/g)).toHaveLength(10)
    expect(world.engine.received).toBe(0)
  })

  test('all well: exit 0; again: nothing new; both with what the directory keeps', async () => {
    const file = world.files.write('well.csv', 'a,b\n1,2\n1,2\n')
    expect(await importing('--json', file)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"appended":2'),
    })
    expect(await importing(file)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('2 there already'),
    })
    expect(world.authorizations).toEqual(new Set(['Bearer kept-read']))
  })

  test('refused rows: exit 3, or 0 with --lenient, and each is named', async () => {
    const file = world.files.write('ragged.csv', 'a,b\n1,2\nragged\n')
    const ran = await importing(file)
    expect(ran).toMatchObject({ code: 3, stdout: '' })
    expect(ran.stderr).toContain('line 3: has 1 field, the header has 2 (ragged_row)')
    expect((await importing('--lenient', file)).code).toBe(0)
  })

  test('quarantined events: exit 3', async () => {
    world.routes['POST /v1/events'] = (_, body) => [
      200,
      {
        results: (body as []).map(() => ({
          status: 'quarantined',
          position: 1,
          reason: 'invalid_data',
          message: 'm',
        })),
      },
    ]
    const ran = await importing(world.files.write('quarantined.csv', 'a,b\n1,2\n'))
    expect(ran).toMatchObject({ code: 3, stderr: expect.stringContaining('quarantined: m (invalid_data)') })
  })

  test('a file without the columns, and an engine that refuses: exit 1', async () => {
    const headless = await importing(world.files.write('columns.csv', 'a,c\n1,2\n'))
    expect(headless).toMatchObject({ code: 1, stderr: expect.stringContaining('the header lacks b') })
    world.routes['POST /v1/events'] = () => [401, { title: 'Credentials are missing or unknown' }]
    const refused = await importing(world.files.write('refused.csv', 'a,b\n1,2\n'))
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is the write key right?') })
  })

  test('an invalid mapping: exit 2, with every fault', async () => {
    const map = world.files.write('wrong.json', JSON.stringify(mappingDocument({ source: 7, sequence: 'x' })))
    const ran = await world.run(['import', '--map', map, 'x.csv'])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/^ {2}source: .*\n {2}sequence: /m)
  })

  test('interrupted: exit 130; the same command goes on and finishes', async () => {
    const rows = Array.from({ length: 4_000 }, (_, i) => `${i},x`).join('\n')
    const args = [
      'import',
      '--map',
      world.files.path('mapping.json'),
      world.files.write('long.csv', `a,b\n${rows}\n`),
    ]
    let requests = 0
    world.routes['POST /v1/events'] = (_, body) =>
      ++requests > 4 ? [503, {}] : [200, { results: world.engine.take(body as { id: string }[]) }]
    const stopped = await world.run(args, { interruptAt: /waiting: HTTP 503/ })
    expect(stopped).toMatchObject({ code: 130, stderr: expect.stringContaining('give the same command') })
    requests = Number.NEGATIVE_INFINITY
    const finished = await world.run(args)
    expect(finished).toMatchObject({ code: 0, stderr: expect.stringContaining('going on after row') })
    expect(world.engine.log.size).toBe(4_000)
  })
})
