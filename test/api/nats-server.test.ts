import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startNatsServer } from '../../api/nats-server.ts'

// Theorem: a server that this process started is gone once `stop` resolves, whether or not the system tells which
// command a process runs, and whether or not the server heeds SIGTERM.

let directory: string
let pid: number | undefined
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-nats-'))
})
afterEach(() => {
  if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL')
  pid = undefined
  rmSync(directory, { recursive: true, force: true })
})

/** A stand-in that is ready at once; after `exec` its command line no longer names our configuration. */
async function start(prelude: string) {
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  const program = join(bin, 'nats-server')
  writeFileSync(program, `#!/bin/sh\n${prelude}\necho 'Server is ready' >&2\nexec sleep 60\n`)
  chmodSync(program, 0o755)
  const options = {
    directory,
    port: 0,
    jetstream: false,
    maxPayloadBytes: 1024,
    path: bin,
    stopWithinMs: 300,
  }
  const started = await startNatsServer(options)
  if (E.isLeft(started)) throw new Error(started.left)
  const kept: { readonly pid: number } = JSON.parse(readFileSync(serverFile(), 'utf8'))
  pid = kept.pid
  expect(isAlive(pid)).toBe(true)
  return { server: started.right, pid }
}

function serverFile(): string {
  return join(directory, 'nats', 'server.json')
}

function isAlive(process_: number): boolean {
  try {
    return process.kill(process_, 0)
  } catch {
    return false
  }
}

it.each([
  ['heeds SIGTERM', ''],
  ['ignores SIGTERM', "trap '' TERM"],
])('a child that %s is stopped; stopping twice is harmless', async (_, prelude) => {
  const { server, pid: child } = await start(prelude)
  await server.stop()
  expect(isAlive(child)).toBe(false)
  expect(existsSync(serverFile())).toBe(false)
  await server.stop()
})

it('a child that has gone by itself needs no stopping', async () => {
  const { server, pid: child } = await start('')
  process.kill(child, 'SIGKILL')
  await expect.poll(() => isAlive(child)).toBe(false)
  await server.stop()
  expect(existsSync(serverFile())).toBe(false)
})
