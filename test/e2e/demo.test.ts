/**
 * Theorem: the demo as a stranger meets it: it gets ready with and without nats-server and says which way the events go; every
 * command of the story does what it promises when it is typed as printed; an engine that is killed, in the middle of loading
 * or later, comes back with everything it acknowledged, counted; a log that lacks something ends the demo loudly; and
 * whichever way the demo ends, no process and (unless it was killed) no directory stays behind.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DemoProcess } from '../support/demo-process.ts'
import { describeNats } from '../support/nats-server.ts'

const SMALL = ['--people', '60']
const EQUAL = /acknowledged ([\d,]+) · in the log ([\d,]+) · equal/
const MARA = 'mara@example.com'

const WITHOUT_NATS = {
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !/sbin|local/.test(entry))
    .join(delimiter),
}

let directory: string
const running: DemoProcess[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-demo-test-'))
})

afterEach(async () => {
  for (const demo of running.splice(0)) {
    await demo.end('SIGTERM')
    await nothingLeft(demo)
  }
  rmSync(directory, { recursive: true, force: true })
})

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): DemoProcess {
  const demo = new DemoProcess(directory, args, env)
  running.push(demo)
  return demo
}

async function nothingLeft(demo: DemoProcess): Promise<void> {
  await expect.poll(() => demo.leftovers(), { timeout: 20_000 }).toEqual([])
}

async function ready(demo: DemoProcess): Promise<void> {
  await demo.printed(/Ready after [\d.]+ s: ([\d,]+) events are in the log[\s\S]*Ctrl-C/)
}

/** Runs the printed line and answers what it prints; it must succeed. */
async function typed(demo: DemoProcess, start: string): Promise<string> {
  const [line] = demo.commands(start)
  const ran = await demo.run(line ?? `echo "${start} was not printed" >&2; false`)
  expect(ran.stderr).toBe('')
  expect(ran.code).toBe(0)
  return ran.stdout
}

/** Kills the engine as the demo says, and answers how much it then counted. */
async function killed(demo: DemoProcess): Promise<number> {
  const from = demo.output.length
  const line = demo.commands('kill -9 ').at(-1) ?? 'false'
  expect((await demo.run(line)).code).toBe(0)
  const [, acknowledged, inLog] = await demo.printed(EQUAL, from)
  expect(acknowledged).toBe(inLog)
  await demo.printed(/kill -9 \d+/, from)
  return Number(acknowledged?.replaceAll(',', ''))
}

describeNats('the demo with nats-server on the PATH', () => {
  test('is ready, its story can be typed as printed, its engine killed twice, and Ctrl-C leaves nothing', async () => {
    const demo = start(SMALL)
    await ready(demo)
    expect(demo.output).toMatch(/way in {2}NATS, nats:\/\/127\.0\.0\.1:\d+/)
    const phone = /\+44\d+/
    const shown = await typed(demo, `npx headwater show ${MARA}`)
    expect(shown).toMatch(/first_name +Otto[\s\S]*overruled: Mara/)
    expect(shown).toContain('invoiced GBP')
    const why = await typed(demo, `npx headwater why ${MARA} phone`)
    expect(why.trim().split('\n')).toHaveLength(1)
    expect(why).toMatch(/\+441134960000: erp .*overruled: \+441144960000 from web/)
    const [asOf = ''] = demo.commands(`npx headwater show ${MARA} --as-of`)
    const before = (await demo.run(asOf)).stdout
    expect(before).toMatch(/first_name +Mara/)
    expect(phone.exec(before)?.[0]).toBe('+442079460000')
    expect(before).not.toContain('invoiced')
    expect(before).not.toContain('otto@')
    expect(await typed(demo, 'npx headwater why-merged')).toMatch(
      /tablet-at-the-fair[\s\S]*otto@example\.com/,
    )
    expect(await typed(demo, `npx headwater resolve ${MARA} phone`)).toMatch(
      /\+441134960000 → \+441144960000[\s\S]*nothing was appended/,
    )
    expect(await typed(demo, "echo '{")).toMatch(/^profile {2}\d+ changed of/m)
    // Asked of the same files while events come in.
    expect(await typed(demo, 'npx headwater verify')).toMatch(
      /^ok +read models +(\d+) of \1 are, row by row, what the log comes to/m,
    )
    const unmerge = `npx headwater unmerge ${MARA}`
    expect(await typed(demo, unmerge)).toMatch(/before: 1 profile[\s\S]*after: 2 profiles/)
    expect((await demo.run(`npx headwater show ${MARA}`)).stdout).toMatch(/first_name +Otto/)
    expect((await demo.run(unmerge)).stdout).toContain('1 event appended')
    await expect
      .poll(async () => (await demo.run(`npx headwater show ${MARA}`)).stdout, { timeout: 10_000 })
      .toMatch(/first_name +Mara/)

    const [, page = ''] = /The page: (\S+)/.exec(demo.output) ?? []
    expect(page).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#token=\S+$/)
    expect((await fetch(page)).status).toBe(200)

    const first = await killed(demo)
    const second = await killed(demo)
    // What was acknowledged before the first kill is looked for again after the second.
    expect(second).toBeGreaterThanOrEqual(first)
    expect(await demo.end('SIGINT')).toBe(0)
    expect(readdirSync(directory)).toEqual([])
    await nothingLeft(demo)
  }, 120_000)

  test('leaves no process when it is killed itself', async () => {
    const demo = start(SMALL)
    await demo.printed(/engine {2}process \d+/)
    // The demo, its engine and its NATS server, where all can be seen.
    expect(demo.leftovers().length).toBeGreaterThanOrEqual(process.platform === 'linux' ? 3 : 1)
    await demo.end('SIGKILL')
    await nothingLeft(demo)
  }, 60_000)
})

test('without nats-server it goes by HTTP; an engine killed while loading loses nothing', async () => {
  const demo = start(['--people', '300'], WITHOUT_NATS)
  await demo.printed(/[\d,]+ of [\d,]+ events acknowledged/)
  expect(demo.output).toMatch(/way in {2}HTTP, because there is no nats-server on the PATH$/m)
  const [, pid] = await demo.printed(/engine {2}process (\d+)/)
  expect((await demo.run(`kill -9 ${pid}`)).code).toBe(0)
  const [, acknowledged, inLog] = await demo.printed(EQUAL)
  expect(acknowledged).toBe(inLog)
  expect(Number(acknowledged?.replaceAll(',', ''))).toBeGreaterThan(400)
  expect(demo.output).not.toContain('Ready after')
  await ready(demo)
  expect(await typed(demo, `npx headwater why ${MARA} phone`)).toContain('+441134960000: erp')
  expect(await killed(demo)).toBeGreaterThan(5_000)
  expect(await demo.end('SIGTERM')).toBe(0)
  expect(readdirSync(directory)).toEqual([])
  await nothingLeft(demo)
}, 120_000)

test('a log that lacks what was acknowledged ends it with 1 and a loud line, and is kept', async () => {
  const demo = start(SMALL, WITHOUT_NATS)
  await ready(demo)
  const [, data = ''] = /data in (\S+)/.exec(demo.output) ?? []
  for (const part of [
    'log',
    'keys',
    'read-models.sqlite',
    'read-models.sqlite-wal',
    'read-models.sqlite-shm',
  ])
    rmSync(join(data, part), { recursive: true, force: true })
  await demo.run(demo.commands('kill -9 ').at(-1) ?? 'false')
  expect(await demo.ended()).toBe(1)
  expect(demo.output).toMatch(/acknowledged [\d,]+ · in the log [\d,]+ · NOT EQUAL/)
  expect(demo.output).toContain('THE LOG LACKS EVENTS THAT WERE ACKNOWLEDGED')
  expect(readdirSync(directory)).toHaveLength(1)
  await nothingLeft(demo)
}, 60_000)

test('wrong options are named, and nothing is started', async () => {
  const demo = start(['--people', 'many', '--rate', '-1'])
  expect(await demo.ended()).toBe(2)
  expect(demo.output).toMatch(/--people takes a whole number|--rate/)
  expect(readdirSync(directory)).toEqual([])
})
