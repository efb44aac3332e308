import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { Clock } from '../../engine/clock.ts'

/**
 * 0: done. 1: it failed, or what was asked for isn't there. 2: the command line, a mapping or a file named in it is
 * wrong; nothing was sent. 3: done, but some rows or events were refused or went to quarantine. 130: interrupted.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 130

/** What a command may touch of the process. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** One line to standard output. */
  out(line: string): void
  /** One line to standard error. */
  err(line: string): void
  readonly style: Style
  /** Both streams are terminals. */
  readonly interactive: boolean
  /** Everything on standard input. */
  stdin(): Promise<Buffer>
  /** Runs `work` with a signal that the first SIGINT or SIGTERM aborts; a second one ends the process. */
  interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

/** Colours where standard output shows them. */
interface Style {
  bold(text: string): string
  dim(text: string): string
  warn(text: string): string
}

export interface Command {
  /** The whole help, without a newline at the end. */
  readonly help: string
  run(args: readonly string[], terminal: Terminal): Promise<ExitCode>
}

/** A command line that can't be understood; told with exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** Something expected that went wrong; told as one line, with exit code 1. */
export class CommandFailed extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CommandFailed'
  }
}

/** `parseArgs`, strict, with its complaints as usage errors. */
export function readArguments<O extends ParseArgsOptionsConfig>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    const known = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
    if (!known) throw error
    // Node's second sentence explains how to pass a positional that begins with a dash.
    throw new UsageError(error.message.split('. ')[0] ?? error.message)
  }
}

export function wholeNumber(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= least)) throw new UsageError(`--${name} takes a whole number from ${least}, not ${text}`)
  return number
}

/** For options' help: one indented line each. */
export function optionTable(rows: readonly (readonly [option: string, about: string])[]): string {
  const width = Math.max(...rows.map(([option]) => option.length))
  return rows.map(([option, about]) => `  ${option.padEnd(width)}  ${about}`).join('\n')
}

export const CONNECTION_HELP = `The engine is found by HEADWATER_URL (default http://127.0.0.1:7070). HEADWATER_WRITE_KEY and
HEADWATER_READ_TOKEN open it; without them credentials.json in HEADWATER_DATA (default ./data) does. Where none of these is
set, a running npm run demo is meant.`
