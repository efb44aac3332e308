import { execFile } from 'node:child_process'
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The scripts of this bench that run in processes of their own, and what each answers. */
interface Answers {
  readonly 'fill-child.ts': Filled
  readonly 'fold-child.ts': Folded
  readonly 'rebuild-child.ts': Folded
  readonly 'beside-child.ts': Folded
  readonly 'live-child.ts': Lived
}

interface Filled {
  readonly events: number
  readonly perS: number
}

export interface Folded {
  /** Of the log, those that are skipped too. */
  readonly events: number
  /** Without the start of Node and the opening of the log. */
  readonly ms: number
  readonly cpuMs: number
  /** The most that was seen. */
  readonly rssMb: number
}

export interface Lived {
  /** Those that were sent, repetitions included. */
  readonly sent: number
  /** From the first that was sent until all of them were in the read models. */
  readonly ms: number
  /** Read models whose digest isn't that of the same events folded in the order of time. */
  readonly different: readonly string[]
}

const STDOUT = 1

export function answer<Script extends keyof Answers>(_script: Script, found: Answers[Script]): void {
  writeSync(STDOUT, `${JSON.stringify(found)}\n`)
}

const run = promisify(execFile)

/** Runs one of the scripts here; `signal` ends it. */
export async function runChild<Script extends keyof Answers>(
  script: Script,
  args: readonly (string | number)[],
  signal: AbortSignal,
): Promise<Answers[Script]> {
  const path = join(import.meta.dirname, script)
  const { stdout } = await run(process.execPath, [path, ...args.map(String)], { signal })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Answers[Script]
}
