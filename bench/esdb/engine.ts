import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineDidNotStart, engineEnvironment } from '../main/engine-process.ts'
import type { ServerChild } from './child.ts'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'api', 'headwater.mjs')
const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 5_000

/** The product as a user starts it, speaking EventStoreDB's protocol to whoever is on this machine; its data in the directory. */
export async function startEngine(directory: string): Promise<ServerChild> {
  const port = await freePort()
  const printed = join(directory, 'engine.log')
  const output = openSync(printed, 'a')
  // A file, not a pipe: reading what the engine logs would cost the cores that are measured.
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
    env: engineEnvironment(join(directory, 'data'), {
      HEADWATER_ESDB_PORT: String(port),
      HEADWATER_ESDB_ANONYMOUS: 'loopback',
    }),
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  const stop = () => stopEngine(child)
  try {
    await ready(child, printed)
    return { pid: child.pid ?? 0, port, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** 0 turns the protocol off, so a free one is looked for here. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('no free port')
  return address.port
}

async function ready(child: ChildProcess, printed: string): Promise<void> {
  let exited = false
  const end = (): void => {
    exited = true
  }
  child.once('exit', end)
  child.once('error', end)
  for (let waited = 0; waited < READY_WITHIN_MS && !exited; waited += 25) {
    if (readFileSync(printed, 'utf8').includes('Ctrl-C')) return
    await sleep(25)
  }
  throw new EngineDidNotStart(readFileSync(printed, 'utf8'))
}

/** Its data is thrown away; but asked nicely first, it takes its nats-server along. */
async function stopEngine(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  if ((await Promise.race([ended, sleep(STOP_WITHIN_MS, undefined, { ref: false })])) !== undefined) return
  child.kill('SIGKILL')
  await ended
}
