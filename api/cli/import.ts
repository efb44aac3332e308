import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { createHttpSender } from '../import/http-sender.ts'
import { type FailedImport, importFile } from '../import/import.ts'
import { messageOf, openInput, readInput } from '../import/input-file.ts'
import type { CompiledMapping } from '../import/mapper.ts'
import { loadMapping } from '../import/mapping.ts'
import { mappingHash } from '../import/mapping-codec.ts'
import { createNatsSender } from '../import/nats-sender.ts'
import type { ImportReport } from '../import/run.ts'
import type { Sender } from '../import/sender.ts'
import {
  CONNECTION_HELP,
  type Command,
  CommandFailed,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
  wholeNumber,
} from './command.ts'
import { dataDirectory, findConnection } from './connection.ts'
import { printReport } from './import-report.ts'
import { createProgressBar } from './progress-bar.ts'

const OPTIONS = {
  map: { type: 'string' },
  'dry-run': { type: 'boolean' },
  report: { type: 'string' },
  progress: { type: 'string' },
  restart: { type: 'boolean' },
  nats: { type: 'string' },
  url: { type: 'string' },
  'retry-for': { type: 'string' },
  'in-flight': { type: 'string' },
  lenient: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const importCommand: Command = {
  help: `Usage: headwater import --map <mapping.json> [options] <file.csv[.gz] | file.ndjson[.gz]>

Turns the rows of a file into events, as the mapping says (api/import/MAPPING.md), and sends them. Every event is
acknowledged before it counts as sent; while the engine is away, sending is tried again. An import that was
interrupted goes on where it was when the same command is given again, and importing a file twice adds nothing:
the same rows give the same event ids.

${optionTable([
  ['--map <file>', 'the mapping'],
  ['--dry-run', 'print the first ten events and send nothing'],
  ['--report <file>', 'write every refused row and quarantined event there, as NDJSON'],
  ['--progress <file>', 'keep progress there instead of HEADWATER_DATA/imports'],
  ['--restart', 'forget progress and begin with the first row'],
  ['--url <url>', 'the engine, instead of HEADWATER_URL'],
  ['--nats <url>', 'send over NATS (subject events.default.<source>) instead of HTTP'],
  ['--retry-for <seconds>', 'how long the engine may be away at a stretch; default 600'],
  ['--in-flight <n>', 'batches under way at once; default 4'],
  ['--lenient', 'exit with 0 even if rows were refused or events quarantined'],
  ['--json', 'print the summary as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 every row is in the log · 1 not finished: the file or the engine failed · 2 wrong command line or
mapping, nothing was sent · 3 finished, but rows were refused or events quarantined (0 with --lenient) ·
130 interrupted`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [file, ...others] = positionals
    if (values.map === undefined) throw new UsageError('import needs --map <mapping.json>')
    if (file === undefined || others.length > 0) throw new UsageError('import takes one file')
    const loaded = await loadMapping(values.map)
    if (E.isLeft(loaded)) throw new UsageError(loaded.left.message)
    const mapping = loaded.right
    if (values['dry-run']) return dryRun(terminal, mapping, file)
    return runImport(terminal, mapping, file, values)
  },
}

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>['values']

const DRY_RUN_EVENTS = 10

async function dryRun(terminal: Terminal, mapping: CompiledMapping, path: string): Promise<ExitCode> {
  const opened = await openInput(path)
  if (E.isLeft(opened)) return failed(terminal, opened.left.message)
  const mapper = mapping.createMapper()
  let printed = 0
  let refused = 0
  const print = (json: string): void => {
    if (printed++ < DRY_RUN_EVENTS) terminal.out(JSON.stringify(JSON.parse(json), null, 2))
  }
  for (const event of mapper.prelude) print(event.json)
  let row = 0
  for await (const item of readInput(opened.right, mapping.mapping.input)) {
    if (printed >= DRY_RUN_EVENTS) break
    if (item._tag === 'Failed') return failed(terminal, item.failure.message)
    row++
    const mapped =
      item._tag === 'BadRow' ? E.left(item) : mapper.map({ row, line: item.line, cells: item.cells })
    if (E.isRight(mapped)) for (const event of mapped.right) print(event.json)
    else {
      refused++
      terminal.err(`line ${item.line}: ${mapped.left.message} (${mapped.left.reason})`)
    }
  }
  terminal.err(
    `dry run: ${Math.min(printed, DRY_RUN_EVENTS)} events of the first ${row} rows; nothing was sent`,
  )
  return refused > 0 ? 3 : 0
}

function failed(terminal: Terminal, message: string): ExitCode {
  terminal.err(`headwater import: ${message}`)
  return 1
}

async function runImport(
  terminal: Terminal,
  mapping: CompiledMapping,
  file: string,
  values: Values,
): Promise<ExitCode> {
  const retryForS = wholeNumber('retry-for', values['retry-for'], 0) ?? 600
  const inFlight = wholeNumber('in-flight', values['in-flight'], 1) ?? 4
  const sender = await openSender(terminal, mapping, values)
  const bar = createProgressBar(terminal)
  try {
    const result = await terminal.interruptible((signal) =>
      importFile({
        mapping,
        file,
        sender,
        clock: terminal.clock,
        limits: { retryForMs: retryForS * 1000, inFlight },
        progressFile: values.progress ?? progressPath(terminal, mapping, file, sender),
        restart: values.restart ?? false,
        reportFile: values.report,
        signal,
        onProgress: bar.update,
        onWarning: (message) => terminal.err(`warning: ${message}`),
      }),
    )
    bar.stop()
    return E.isRight(result) ? done(terminal, result.right, values) : notDone(terminal, result.left, values)
  } finally {
    bar.stop()
    await sender.close()
  }
}

async function openSender(terminal: Terminal, mapping: CompiledMapping, values: Values): Promise<Sender> {
  if (values.nats === undefined) return createHttpSender(await findConnection(terminal, values.url))
  const { openPublisher } = await import('../../engine/intake/nats/publisher.ts')
  try {
    const publisher = await openPublisher(values.nats)
    return createNatsSender(publisher, { source: mapping.mapping.source, target: values.nats })
  } catch (error) {
    throw new CommandFailed(`${values.nats} can't be reached: ${messageOf(error)}`)
  }
}

/** One for each file, mapping and target, so that imports don't get in each other's way. */
function progressPath(terminal: Terminal, mapping: CompiledMapping, file: string, sender: Sender): string {
  const key = JSON.stringify([resolve(file), mappingHash(mapping.mapping), sender.target])
  const name = createHash('sha256').update(key).digest('hex').slice(0, 24)
  return join(dataDirectory(terminal), 'imports', `${name}.json`)
}

function done(terminal: Terminal, report: ImportReport, values: Values): ExitCode {
  printReport(terminal, report, values.json ?? false, values.report)
  const clean = report.refusedRows === 0 && report.quarantined === 0 && report.refused === 0
  return clean || values.lenient ? 0 : 3
}

function notDone(terminal: Terminal, { failure, report }: FailedImport, values: Values): ExitCode {
  printReport(terminal, report, values.json ?? false, values.report, failure.why)
  if (failure._tag === 'Interrupted') {
    terminal.err('interrupted; give the same command to go on')
    return 130
  }
  terminal.err(`headwater import: ${failure.why}`)
  return 1
}
