/**
 * Theorem: the story's commands tell what the engine holds: why a value is what it is, in one sentence; which events made
 * one person of two, with a command that makes two of one again when it is run as printed; and what a person was
 * known to be on an earlier day.
 */
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sentenceOf } from '../../api/cli/why-sentence.ts'
import { main } from '../../api/cli.ts'
import { systemClock } from '../../engine/clock.ts'
import { janeAndBob, type LivingWorld, livingWorld } from '../history/living-world.ts'
import { CLI, type Ran } from './world.ts'

let world: LivingWorld
beforeAll(async () => {
  world = await livingWorld()
  await world.send(...janeAndBob())
})
afterAll(() => world.close())

/** In this process, which is quicker than one of its own. */
async function run(...args: readonly string[]): Promise<Ran> {
  const seen = { stdout: '', stderr: '' }
  const plain = (text: string) => text
  const code = await main(args, {
    env: world.env,
    clock: systemClock,
    out: (line) => {
      seen.stdout += `${line}\n`
    },
    err: (line) => {
      seen.stderr += `${line}\n`
    },
    style: { bold: plain, dim: plain, warn: plain },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: (work) => work(new AbortController().signal),
  })
  return { code, ...seen }
}

/** A command as printed, in a shell. */
async function shell(line: string): Promise<Ran> {
  const script = `headwater() { '${process.execPath}' '${CLI}' "$@"; }\n${line}`
  const child = spawn('sh', ['-c', script], { env: world.env, stdio: ['ignore', 'pipe', 'pipe'] })
  const seen = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => {
      seen[stream] += chunk.toString()
    })
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...seen })))
}

const erased = (text: string) => text.replaceAll(/[0-9a-f]{32}/g, '<id>')

describe('why', () => {
  test('says in one sentence what the value is, whence, when, by which rule, over what', async () => {
    expect(await run('why', 'jane@example.com', 'phone')).toEqual({
      code: 0,
      stdout:
        'phone is +442079460018: erp sent it on 2025-05-02 (latest by source priority: ranked erp > web); ' +
        'overruled: +442079460999 from web, 2025-06-11.\n',
      stderr: '',
    })
  })

  test('of a trait by its bare name, a field that nobody sent, and what the view derives', async () => {
    expect((await run('why', 'email:jane@example.com', 'plan')).stdout).toBe(
      'traits.plan is gold: web sent it on 2025-02-01 (latest).\n',
    )
    expect((await run('why', 'jane@example.com', 'title')).stdout).toBe(
      'title has no value: nobody ever sent one.\n',
    )
    expect((await run('why', 'jane@example.com', 'kind')).stdout).toMatch(
      /^kind is person: the view derives it/,
    )
  })

  test('as of a day before the other source wrote', async () => {
    const ran = await run('why', 'jane@example.com', 'phone', '--as-of', '2025-05-01')
    expect(ran.stdout).toBe('phone has no value: nobody ever sent one.\n')
    const later = await run('why', 'jane@example.com', 'phone', '--as-of', '2025-05-03')
    expect(later.stdout).toBe(
      'phone is +442079460018: erp sent it on 2025-05-02 (latest by source priority: its only source).\n',
    )
  })

  test('as JSON: the explanation with events and positions', async () => {
    const { stdout } = await run('why', 'jane@example.com', 'phone', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      field: 'phone',
      value: '+442079460018',
      rule: 'rankedUnlessBlank',
      winners: [{ event: 'j3', source: 'erp', position: 5 }],
      overruled: [{ event: 'j2', source: 'web' }],
      priorities: { erp: 1, web: 2 },
    })
  })

  test('an unknown field names those that exist; nobody, and a bad command line', async () => {
    const unknown = await run('why', 'jane@example.com', 'fone')
    expect(unknown).toMatchObject({ code: 1, stdout: '' })
    expect(unknown.stderr).toMatch(/there is no field fone; these exist: .*\bphone\b.*\btraits\.plan\b/)
    expect(await run('why', 'nobody@example.com', 'phone')).toMatchObject({ code: 1, stdout: '' })
    expect((await run('why', 'jane@example.com')).code).toBe(2)
    expect((await run('why', 'jane@example.com', '__proto__')).code).toBe(1)
  })
})

describe('show --as-of', () => {
  test('who Jane was before the tablet, what she had bought, and nobody before she came', async () => {
    const before = await run('show', 'jane@example.com', '--as-of', '2025-05-31')
    expect(before).toMatchObject({ code: 0, stderr: '' })
    expect(before.stdout).toContain(
      'as of 2025-05-31T00:00:00.000Z (what had happened by then, as known today)',
    )
    for (const text of [
      'email:jane@example.com',
      'anonymous:jane-browser',
      'ordered GBP  1 order',
      'order.placed',
    ]) {
      expect(before.stdout).toContain(text)
    }
    expect(before.stdout).not.toMatch(/tablet|bob|\+442079460999/i)
    const bob = await run('show', 'bob@example.com', '--as-of', '2025-05-31')
    expect(bob.stdout).toContain("lead:O'Neil")
    expect(bob.stdout).not.toMatch(/jane/)
    const nobody = await run('show', 'jane@example.com', '--as-of', '2025-01-31')
    expect(nobody).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('Nobody was known') })
  })

  test('a position; the command line is checked', async () => {
    const { position } = world.engine.log.head()
    const at = await run('show', 'jane@example.com', '--as-of', '3', '--json')
    const { profile } = JSON.parse(at.stdout)
    expect(profile).toMatchObject({ position: 3, history: { by: 'received', until: 3 } })
    expect(profile.data.identities).toHaveLength(2)
    expect((await run('show', 'jane@example.com', '--as-of', String(position + 1))).stderr).toContain('asOf')
    for (const args of [
      ['--by', 'occurred'],
      ['--as-of', '3', '--by', 'occurred'],
      ['--as-of', '3', '--by', 'x'],
    ]) {
      expect((await run('show', 'jane@example.com', ...args)).code).toBe(2)
    }
    expect((await run('show', 'jane@example.com', '--as-of', 'yesterday')).code).toBe(1)
  })
})

describe('why-merged', () => {
  test('shows the links with their events, and that the tablet alone holds two people together', async () => {
    const { code, stdout } = await run('why-merged', 'bob@example.com')
    expect(code).toBe(0)
    expect(stdout.split('\n')[0]).toMatch(/8 identities, 7 links, identity rules version 1, at position 8$/)
    expect(stdout).toMatch(
      / +anonymous:tablet +one event named both: web event t\d \(cdp\.identify, 2025-06-01T1\d/,
    )
    expect(stdout).toContain('anonymous:tablet alone holds 2 parts together')
    expect(stdout).toMatch(/1\. (erp:17850|lead:O'Neil), /)
    expect(stdout).toMatch(/headwater append '\[/)
  })

  test('the printed command takes the two apart', async () => {
    const line = (await run('why-merged', 'jane@example.com')).stdout
      .split('\n')
      .find((each) => /headwater append/.test(each))
    const ran = await shell(line ?? '')
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(ran.stdout.split('\n')[0] ?? '')).toMatchObject({ status: 'appended' })
    await world.settled()
    const jane = (await run('show', 'jane@example.com')).stdout
    const bob = (await run('show', 'bob@example.com')).stdout
    for (const text of [
      'email:jane@example.com',
      'erp:17850',
      'anonymous:jane-browser',
      'anonymous:tablet',
    ]) {
      expect(jane).toContain(text)
    }
    expect(jane).not.toMatch(/bob@|Neil/)
    for (const text of ['email:bob@example.com', "lead:O'Neil"]) expect(bob).toContain(text)
    expect(bob).not.toMatch(/jane@|17850/)
    // What comes over the tablet later doesn't bring them together again.
    await world.send({
      ...{ id: 't3', source: 'web', type: 'cdp.identify' },
      data: { anonymousId: 'tablet', traits: { email: 'bob@example.com' } },
    })
    const after = (await run('why-merged', 'bob@example.com')).stdout
    expect(erased(after)).toMatch(/^profile <id>: 2 identities, 1 link,/)
    expect(after).toMatch(/not merged: anonymous:tablet with email:bob@example\.com, for the cut of /)
    expect(after).not.toContain('alone holds')
  })
})

test('a sentence: removed, blank, several writers, equal days, terminal commands', () => {
  const write = (value: unknown, source: string, time: string) => ({ value, source, time, event: 'e' })
  const day = '2025-05-02T10:00:00.000Z'
  expect(
    sentenceOf('phone', { value: null, rule: 'latest', winners: [write(null, 'crm', day)], overruled: [] }),
  ).toBe('phone has no value: crm removed it on 2025-05-02 (latest).')
  expect(
    sentenceOf('phone', {
      value: '1',
      rule: 'rankedUnlessBlank',
      winners: [write('1', 'web', day)],
      overruled: [write('', 'erp', '2025-05-03T10:00:00.000Z')],
      priorities: { erp: 1 },
    }),
  ).toBe(
    'phone is 1: web sent it on 2025-05-02 (latest by source priority: ranked erp > web; a blank never beats a value); ' +
      "overruled: '' (blank) from erp, 2025-05-03.",
  )
  expect(
    sentenceOf('name', {
      value: 'Ada L',
      rule: 'latest',
      winners: [write('Ada', 'crm', day), write('L', 'web', day)],
      overruled: [write('\u001b[2J', 'erp', day)],
    }),
  ).toBe(
    `name is Ada L: crm sent Ada on ${day} and web sent L on ${day} (latest); overruled: \ufffd[2J from erp, ${day}.`,
  )
  expect(
    sentenceOf('phone', {
      value: '1',
      rule: 'ranked',
      winners: [write('1', 'web', day)],
      overruled: [write('2', 'erp', '2025-05-01T10:00:00.000Z')],
    }),
  ).toContain('(latest by source priority: web and erp are ranked alike)')
})
