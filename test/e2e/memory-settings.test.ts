/**
 * Theorem: an engine runs under the settings that let malloc give memory back, as the process that was started: same id, same
 * output, same signals; settings of malloc that its operator has made are left alone.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'api', 'headwater.mjs')
const COMPILED = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'compiled')

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-malloc-'))
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** What malloc is told in the process that we started, once it is up, and how it ends on SIGTERM. */
async function startedWith(env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
    env: {
      // Without a nats-server: it isn't what this is about.
      PATH: '',
      HEADWATER_DATA: join(directory, 'data'),
      HEADWATER_PORT: '0',
      LOG_LEVEL: 'warn',
      NODE_COMPILE_CACHE: COMPILED,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit')
  let output = ''
  child.stderr.resume()
  for await (const chunk of child.stdout) {
    output += String(chunk)
    if (output.includes('Ctrl-C')) break
  }
  const settings = readFileSync(`/proc/${child.pid}/environ`, 'utf8')
    .split('\0')
    .filter((line) => line.startsWith('MALLOC_') || line.startsWith('GLIBC_'))
  child.kill('SIGTERM')
  const [code] = await ended
  return { settings: settings.sort(), output, code }
}

describe.runIf(process.platform === 'linux')('malloc', () => {
  test('gives memory back in an engine', async () => {
    const { settings, output, code } = await startedWith({})
    expect(settings).toEqual(['MALLOC_MMAP_THRESHOLD_=65536', 'MALLOC_TRIM_THRESHOLD_=4194304'])
    expect(output.match(/Headwater is up/g)).toHaveLength(1)
    expect(code).toBe(0)
  })

  test('is left as its operator has set it', async () => {
    const env = { GLIBC_TUNABLES: 'glibc.malloc.arena_max=2', MALLOC_TOP_PAD_: '65536' }
    const { settings, code } = await startedWith(env)
    expect(settings).toEqual(Object.entries(env).map(([name, value]) => `${name}=${value}`))
    expect(code).toBe(0)
  })
})
