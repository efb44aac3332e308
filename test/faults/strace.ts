import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** System calls that change files, as Node and SQLite make them on Linux. */
export const CALLS = ['write', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'ftruncate', 'unlink'] as const
type Call = (typeof CALLS)[number]

/** One kind of call on one file, in the thread that makes most of them. */
export interface Place {
  readonly call: Call
  readonly path: string
  readonly times: number
}

/** What to do to a call on a file, the `when`th that a thread makes. */
export interface Injection {
  readonly call: Call
  readonly path: string
  readonly when: number
  /** As strace has it: `signal=SIGKILL`, `error=EIO`, `retval=0`. */
  readonly effect: string
}

export interface Traced {
  readonly output: string
  readonly errors: string
  readonly signal: NodeJS.Signals | null
  readonly code: number | null
}

/** Whether strace is installed and may trace here: containers often forbid it. */
export function straceWorks(): boolean {
  const script = "require('fs').fsyncSync(1)"
  const traced = ['-f', '-qq', '-e', 'trace=fsync', '-e', 'inject=fsync:signal=SIGKILL']
  const { error, signal } = spawnSync('strace', [...traced, process.execPath, '-e', script], {
    stdio: 'ignore',
  })
  return error === undefined && signal === 'SIGKILL'
}

/** Runs Node with `args` and counts its calls on files below `directory`. */
export async function countCalls(
  args: readonly string[],
  directory: string,
  env?: NodeJS.ProcessEnv,
): Promise<{ readonly traced: Traced; readonly places: readonly Place[] }> {
  const scratch = mkdtempSync(join(tmpdir(), 'headwater-strace-'))
  const file = join(scratch, 'calls')
  try {
    // -y: descriptors with their paths, as in `fdatasync(21</data/log/x.hwl>)`.
    const traced = await strace(['-y', '-o', file, '-e', `trace=${CALLS.join()}`], args, env)
    return { traced, places: placesIn(readFileSync(file, 'utf8'), directory) }
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

export function runInjected(
  args: readonly string[],
  injection: Injection,
  env?: NodeJS.ProcessEnv,
): Promise<Traced> {
  return strace(injectionOptions(injection), args, env)
}

/** The same in the `when`th call of a kind that a thread makes on any file: one that isn't named beforehand. */
export function runInjectedAnywhere(
  args: readonly string[],
  { call, when, effect }: Omit<Injection, 'path'>,
): Promise<Traced> {
  return strace(
    ['-e', `trace=${call}`, '-e', `inject=${call}:${effect}:when=${when}`, '-o', '/dev/null'],
    args,
  )
}

/** The command to run a program under, which then is our own child: the tracer is a grandchild. */
export function injecting(injection: Injection): readonly string[] {
  return ['strace', '-D', '-f', '-qq', ...injectionOptions(injection)]
}

function injectionOptions({ call, path, when, effect }: Injection): readonly string[] {
  const inject = `inject=${call}:${effect}:when=${when}`
  // The kernel then stops at no other calls, which halves the time; but a signal isn't delivered there.
  const fast = effect.startsWith('signal') ? [] : ['--seccomp-bpf']
  return [...fast, '-P', path, '-e', `trace=${call}`, '-e', inject, '-o', '/dev/null']
}

async function strace(
  options: readonly string[],
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<Traced> {
  const child = spawn('strace', ['-f', '-qq', ...options, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(env === undefined ? {} : { env }),
  })
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  await once(child, 'close')
  return { output, errors, signal: child.signalCode, code: child.exitCode }
}

/** The calls in a trace made with `-f -y`, on files below a directory. */
export function placesIn(trace: string, directory: string): readonly Place[] {
  const times = new Map<string, Map<string, number>>()
  for (const line of trace.split('\n')) {
    const [, thread = '', call = '', rest = ''] = /^(\d+) +(\w+)\((.*)/.exec(line) ?? []
    const path = /^\d+<([^>]+)>/.exec(rest)?.[1] ?? /^"([^"]+)"/.exec(rest)?.[1]
    if (path === undefined || !path.startsWith(directory)) continue
    const key = `${call} ${path}`
    const threads = times.get(key) ?? new Map<string, number>()
    times.set(key, threads.set(thread, (threads.get(thread) ?? 0) + 1))
  }
  return [...times].flatMap(([key, threads]) => {
    const [name, path = ''] = key.split(' ')
    const call = CALLS.find((each) => each === name)
    return call === undefined ? [] : [{ call, path, times: Math.max(...threads.values()) }]
  })
}
