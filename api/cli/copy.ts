import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import type { LogSnapshot } from '../../engine/log/eventstore/snapshot.ts'
import { isConnectionString, openEventStore, openEventStoreAsIs } from '../../engine/log/eventstore.ts'
import { type Log, LogDamaged } from '../../engine/log/log.ts'
import {
  type Command,
  CommandFailed,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { type CopyResult, copyLog } from './copy-log.ts'
import { createWorkBar } from './progress-bar.ts'

const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  workspace: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const copy: Command = {
  help: `Usage: headwater copy --from <log> --to <log> [--json]

Copies a log to another one, event by event and position by position, and compares the digests of both at the end. A log is a
directory (HEADWATER_DATA's log), or an EventStoreDB by its connection string (esdb://…), which must be ours alone. Keys are not
copied: sealed parts stay sealed.

A copy that was interrupted goes on where it was when the same command is given again. The source is only read, up to where it
ends at the start, also beside a running engine. Nobody else may write to the target; what it holds beforehand must be what
the source begins with.

${optionTable([
  ['--from <log>', 'the source'],
  ['--to <log>', 'the target; a directory is made'],
  ['--workspace <name>', "the workspace of a directory's log, instead of HEADWATER_WORKSPACE"],
  ['--json', 'print the result as one line of JSON'],
])}

Exit codes: 0 both logs are alike · 1 it failed · 2 wrong command line · 130 interrupted`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const { from, to, workspace } = values
    if (from === undefined || to === undefined || positionals.length > 0)
      throw new UsageError('copy takes --from <log> and --to <log>')
    for (const log of [from, to]) {
      // Not repeated: it may hold a password.
      if (isEventStore(log) && !isConnectionString(log))
        throw new UsageError("a connection string isn't one that EventStoreDB's client reads")
    }
    if (from === to) throw new UsageError('copy takes two different logs')
    const scratch = mkdtempSync(join(tmpdir(), 'headwater-copy-'))
    try {
      const source = await openSource(from, scratch)
      try {
        const target = await openTarget(to, scratch, terminal, workspace)
        try {
          return await run(terminal, source, target, values.json ?? false)
        } finally {
          await target.close()
        }
      } finally {
        await source.close()
      }
    } catch (error) {
      if (error instanceof LogDamaged || isConnectionFailure(error)) throw new CommandFailed(error.message)
      throw error
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  },
}

function isConnectionFailure(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ConnectionFailed'
}

async function openSource(from: string, scratch: string): Promise<LogSnapshot> {
  if (!isEventStore(from)) {
    if (!existsSync(from)) throw new CommandFailed(`there is no log in ${from}`)
    return openEmbeddedReader(from)
  }
  return opened('source', await openEventStoreAsIs(from, join(scratch, 'source.sqlite')))
}

async function openTarget(
  to: string,
  scratch: string,
  { clock, env }: Terminal,
  workspace = env['HEADWATER_WORKSPACE'] ?? 'default',
): Promise<Log> {
  if (!isEventStore(to)) return opened('target', await openEmbeddedLog(to, { workspace }))
  const indexPath = join(scratch, 'target.sqlite')
  return opened('target', await openEventStore(to, { indexPath, clock }))
}

function isEventStore(log: string): boolean {
  return /^(esdb|kurrentdb|kdb)(\+discover)?:\/\//.test(log)
}

function opened<Opened>(what: string, result: E.Either<{ readonly _tag: string }, Opened>): Opened {
  if (E.isRight(result)) return result.right
  const { _tag, ...details } = result.left
  throw new CommandFailed(`the ${what} doesn't open (${_tag}): ${JSON.stringify(details)}`)
}

async function run(terminal: Terminal, source: LogSnapshot, target: Log, json: boolean): Promise<ExitCode> {
  const bar = createWorkBar(terminal)
  try {
    const result = await terminal.interruptible((signal) =>
      copyLog({ source, target, signal, onProgress: bar.update }),
    )
    bar.stop()
    return tell(terminal, result, json)
  } finally {
    bar.stop()
  }
}

function tell(terminal: Terminal, result: CopyResult, json: boolean): ExitCode {
  switch (result._tag) {
    case 'Done': {
      const { copied, position, source, target } = result
      const isAlike = source === target
      if (json) terminal.out(JSON.stringify({ copied, position, source, target }))
      else {
        terminal.out(`${copied} events copied, up to position ${position}`)
        terminal.out(`source ${source}`)
        terminal.out(`target ${target}`)
      }
      if (!isAlike) terminal.err('headwater copy: the two logs differ')
      return isAlike ? 0 : 1
    }
    case 'Differs':
      throw new CommandFailed(
        `the target holds something else than the source at position ${result.position}`,
      )
    case 'Gap':
      throw new CommandFailed(
        `position ${result.position} of the source would become ${result.instead}: the source has a gap before it`,
      )
    case 'Refused':
      throw new CommandFailed(`position ${result.position}: ${JSON.stringify(result.failure)}`)
    case 'Interrupted':
      terminal.err(`interrupted; the target ends at position ${result.position}`)
      return 130
  }
}
