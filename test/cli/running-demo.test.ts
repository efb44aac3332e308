/**
 * Theorem: where nothing is stated, the command line talks to the demo that this user has running, found by the file that the
 * demo writes; anything stated comes first, and a file that is stale, damaged, a link, or open to others is not believed.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Terminal } from '../../api/cli/command.ts'
import { findConnection } from '../../api/cli/connection.ts'
import { findRunningDemo } from '../../api/cli/running-demo.ts'
import { pointerPath, removePointer, writePointer } from '../../bench/demo/pointer.ts'
import { manualClock } from '../../engine/clock.ts'

const URL_OF_DEMO = 'http://127.0.0.1:7070'

let directory: string
let before: string | undefined
beforeEach(() => {
  before = process.env['TMPDIR']
  directory = mkdtempSync(join(tmpdir(), 'headwater-pointer-'))
  process.env['TMPDIR'] = directory
  writeFileSync(
    join(directory, 'credentials.json'),
    JSON.stringify({ writeKey: 'demo-write', readToken: 'demo-read' }),
  )
})
afterEach(() => {
  if (before === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = before
  rmSync(directory, { recursive: true, force: true })
})

function terminalWith(env: Readonly<Record<string, string>>): Terminal {
  const same = (text: string): string => text
  return {
    env,
    clock: manualClock(0),
    out: () => undefined,
    err: () => undefined,
    style: { bold: same, dim: same, warn: same },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: async (work) => work(new AbortController().signal),
  }
}

function point(pid = process.pid): void {
  writePointer({ url: URL_OF_DEMO, directory, pid })
}

function endedPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

describe('a demo that runs', () => {
  it('is found with its address and its credentials, where nothing is stated', async () => {
    point()
    expect(await findRunningDemo()).toMatchObject({ url: URL_OF_DEMO, directory })
    expect(await findConnection(terminalWith({}))).toEqual({
      url: URL_OF_DEMO,
      writeKey: 'demo-write',
      readToken: 'demo-read',
    })
  })

  it('gives way to whatever is stated', async () => {
    point()
    const elsewhere = join(directory, 'elsewhere')
    for (const env of [
      { HEADWATER_URL: 'http://127.0.0.1:9999' },
      { HEADWATER_DATA: elsewhere },
      { HEADWATER_READ_TOKEN: 'mine' },
      { HEADWATER_WRITE_KEY: 'mine' },
    ]) {
      const stated = { HEADWATER_DATA: elsewhere, ...env }
      expect(JSON.stringify(await findConnection(terminalWith(stated)))).not.toContain('demo-')
    }
    const asked = await findConnection(terminalWith({ HEADWATER_DATA: elsewhere }), 'http://127.0.0.1:9998')
    expect(asked).toMatchObject({ url: 'http://127.0.0.1:9998', readToken: undefined })
  })

  it('replaces the file of the one before, and takes only its own away', () => {
    point(1)
    point()
    removePointer(1)
    expect(existsSync(pointerPath())).toBe(true)
    removePointer(process.pid)
    expect(existsSync(pointerPath())).toBe(false)
    removePointer(process.pid)
  })
})

it('where something else stands in its place the demo goes on without it', () => {
  mkdirSync(pointerPath())
  expect(writePointer({ url: URL_OF_DEMO, directory, pid: process.pid })).toBe(false)
})

describe('not believed', () => {
  it('no file at all', async () => {
    expect(await findRunningDemo()).toBeUndefined()
    const elsewhere = join(directory, 'elsewhere')
    expect(await findConnection(terminalWith({ HEADWATER_DATA: elsewhere }))).toMatchObject({
      readToken: undefined,
    })
  })

  it('one whose demo is gone', async () => {
    point(endedPid())
    expect(await findRunningDemo()).toBeUndefined()
  })

  it('one that others may read or write', async () => {
    for (const mode of [0o640, 0o604, 0o620, 0o602]) {
      point()
      chmodSync(pointerPath(), mode)
      expect(await findRunningDemo(), mode.toString(8)).toBeUndefined()
    }
  })

  it('a link to a good one', async () => {
    point()
    const good = join(directory, 'good.json')
    writeFileSync(good, JSON.stringify({ url: URL_OF_DEMO, directory, pid: process.pid }), { mode: 0o600 })
    rmSync(pointerPath())
    symlinkSync(good, pointerPath())
    expect(await findRunningDemo()).toBeUndefined()
  })

  it('what is no pointer', async () => {
    for (const text of ['', '{', '[]', '{"url":1}', `{"url":"${URL_OF_DEMO}","directory":"d","pid":-1}`]) {
      rmSync(pointerPath(), { force: true })
      writeFileSync(pointerPath(), text, { mode: 0o600 })
      expect(await findRunningDemo(), text).toBeUndefined()
    }
  })
})
