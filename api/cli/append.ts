import { readFile } from 'node:fs/promises'
import { createHttpSender } from '../import/http-sender.ts'
import { messageOf } from '../import/input-file.ts'
import type { OutgoingEvent } from '../import/mapper.ts'
import type { EventResult } from '../import/sender.ts'
import {
  CONNECTION_HELP,
  type Command,
  CommandFailed,
  type ExitCode,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { findConnection } from './connection.ts'

export const append: Command = {
  help: `Usage: headwater append [event | file | -]

Appends one event or an array of events in CloudEvents' JSON form, and prints what became of each as a line of JSON.
The argument is the JSON itself (it begins with { or [), a file that holds it, or - for standard input, which is
also read without an argument.

Decisions and definitions (rules, sources, fields, stewards' decisions) are taken from whoever has read token and write key.

  headwater append '{"id":"1","source":"web","type":"cdp.identify","data":{"userId":"42","traits":{"name":"Ada"}}}'

${CONNECTION_HELP}

Exit codes: 0 all in the log (or there already) · 1 not sent, or refused · 2 wrong command line or not JSON ·
3 some are in quarantine`,
  run: async (args, terminal) => {
    const { positionals } = readArguments(args, {})
    if (positionals.length > 1) throw new UsageError('append takes one argument: an event, a file or -')
    const events = readEvents(await readText(positionals[0] ?? '-', terminal))
    if (events.length === 0) return 0
    const connection = await findConnection(terminal)
    const sender = createHttpSender(connection)
    const outcome = await sender.send(events)
    if (outcome._tag !== 'Sent') throw new CommandFailed(`${connection.url}: ${outcome.why}`)
    for (const result of outcome.results) terminal.out(JSON.stringify(result))
    return exitCode(outcome.results)
  },
}

async function readText(argument: string, terminal: Terminal): Promise<string> {
  if (/^\s*[{[]/.test(argument)) return argument
  try {
    const bytes = argument === '-' ? await terminal.stdin() : await readFile(argument)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${argument} is not UTF-8`)
    throw new UsageError(`${argument} can't be read: ${messageOf(error)}`)
  }
}

function readEvents(text: string): readonly OutgoingEvent[] {
  try {
    const value: unknown = JSON.parse(text)
    const events: readonly unknown[] = Array.isArray(value) ? value : [value]
    return events.map((event) => ({ id: '', json: JSON.stringify(event) }))
  } catch (error) {
    throw new UsageError(`that is not JSON: ${messageOf(error)}`)
  }
}

function exitCode(results: readonly EventResult[]): ExitCode {
  if (results.some(({ status }) => status === 'refused')) return 1
  return results.some(({ status }) => status === 'quarantined') ? 3 : 0
}
