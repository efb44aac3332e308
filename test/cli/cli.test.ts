/**
 * Theorem: the command line does what it is asked or says in one line why not, with the exit code that its help documents;
 * what programs read goes to standard output and the rest to standard error.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Terminal } from '../../api/cli/command.ts'
import { processTerminal } from '../../api/cli/terminal.ts'
import { main } from '../../api/cli.ts'
import { systemClock } from '../../engine/clock.ts'
import { World } from './world.ts'

const world = new World()
beforeAll(() => world.open())
afterAll(() => world.close())
beforeEach(() => world.reset())

const PROCESS = processTerminal(systemClock)
const COMMANDS = ['start', 'import', 'append', 'tail', 'show', 'stats', 'doctor']

describe('help and mistakes', () => {
  test('--help lists every command, and each has its own with its exit codes', async () => {
    expect(await world.run(['bogus'])).toMatchObject({ code: 2, stdout: '' })
    const all = await world.run(['--help'])
    expect(all.code).toBe(0)
    for (const command of COMMANDS) expect(all.stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    const helps = await Promise.all(COMMANDS.map((command) => world.run([command, '--help'])))
    for (const [i, help] of helps.entries()) {
      expect(help).toMatchObject({ code: 0, stderr: '' })
      expect(help.stdout).toContain(`Usage: headwater ${COMMANDS[i]}`)
      expect(help.stdout).toContain('Exit codes: 0 ')
    }
  })

  test.each([
    [[], 'Usage'],
    [['bogus'], 'there is no command bogus'],
    [['help', 'bogus'], 'there is no command bogus'],
    [['start', 'now'], 'start takes no arguments'],
    [['import', '--bogus'], "Unknown option '--bogus'"],
    [['import', 'x.csv'], 'import needs --map'],
    [['import', '--map', 'mapping.json'], 'import takes one file'],
    [['import', '--map', '/absent.json', 'x.csv'], "can't be read"],
    [['append', '{'], 'not JSON'],
    [['append', '/absent.json'], "can't be read"],
    [['tail', '--limit', 'many'], '--limit takes a whole number'],
    [['tail', '--from', '0'], '--from takes a whole number from 1'],
    [['show'], 'show takes one identity'],
    [['show', 'somebody'], 'no e-mail address'],
    [['stats', '--verbose'], "Unknown option '--verbose'"],
  ])('%j: exit 2', async (args, message) => {
    const out: string[] = []
    const err: string[] = []
    const terminal: Terminal = {
      ...PROCESS,
      out: (line) => out.push(line),
      err: (line) => err.push(line),
    }
    expect(await main(args, terminal)).toBe(2)
    expect(out).toEqual([])
    expect(err.join('\n')).toContain(message)
  })

  test('an engine that is not there: exit 1 and one line', async () => {
    const env = { HEADWATER_URL: 'http://127.0.0.1:9' }
    const commands = [['append', '{}'], ['stats'], ['show', 'a@b.c'], ['tail', '--once']]
    for (const ran of await Promise.all(commands.map((args) => world.run(args, { env })))) {
      expect(ran).toMatchObject({ code: 1, stdout: '' })
      expect(ran.stderr.trim().split('\n')).toHaveLength(1)
    }
  })
})

describe('append', () => {
  const event = { id: '1', source: 'web', type: 'x', data: {} }

  test('from an argument, a file and standard input', async () => {
    const text = JSON.stringify(event)
    const results = await Promise.all([
      world.run(['append', text]),
      world.run(['append', world.files.write('event.json', text)]),
      world.run(['append'], { stdin: `[${text},${text}]` }),
    ])
    for (const ran of results) expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(world.engine.received).toBe(4)
    expect(results.map(({ stdout }) => stdout.trim().split('\n').length)).toEqual([1, 1, 2])
  })

  test.each([
    ['quarantined', 3],
    ['refused', 1],
    ['duplicate', 0],
  ])('%s: exit %i', async (status, code) => {
    world.routes['POST /v1/events'] = () => [200, { results: [{ status, id: '1', position: 1 }] }]
    expect(await world.run(['append', JSON.stringify(event)])).toMatchObject({ code })
  })
})

describe('stats', () => {
  const engineStatus = { ready: true, reasons: [] as string[], head: 9, projected: 9, writer: 'running' }

  beforeEach(() => {
    world.routes['GET /readyz'] = () => [200, engineStatus]
    world.routes['GET /v1/projections'] = () => [
      200,
      {
        position: 9,
        asOf: '2026-01-01T00:00:00Z',
        data: [
          { name: 'profile', version: 1, builds: [{ build: 'profile__v1', position: 7, serving: true }] },
        ],
        poison: [],
      },
    ]
  })

  test('ready: exit 0', async () => {
    const ran = await world.run(['stats'])
    expect(ran.code).toBe(0)
    expect(ran.stdout).toContain('position 9')
    expect(ran.stdout).toMatch(/^profile {2,}1 .*7, behind the log/m)
    expect(JSON.parse((await world.run(['stats', '--json'])).stdout)).toMatchObject({ engine: engineStatus })
  })

  test('not ready: exit 1', async () => {
    world.routes['GET /readyz'] = () => [
      503,
      { ...engineStatus, ready: false, reasons: ['the writer has stopped'] },
    ]
    expect(await world.run(['stats'])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not ready: the writer'),
    })
  })

  test('the token from the environment comes first, and a wrong one is named', async () => {
    world.routes['GET /v1/projections'] = () => [401, { title: 'Credentials are missing or unknown' }]
    const ran = await world.run(['stats'], { env: { HEADWATER_READ_TOKEN: 'stated' } })
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('is the read token right?') })
    expect(world.authorizations).toEqual(new Set(['Bearer stated']))
  })
})
