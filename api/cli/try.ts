import { readFile } from 'node:fs/promises'
import {
  CONNECTION_HELP,
  type Command,
  optionTable,
  readArguments,
  UsageError,
  wholeNumber,
} from './command.ts'
import { printDifferences } from './print-diff.ts'
import { readDifferences, runJob } from './version-jobs.ts'

const DEFAULT_SAMPLE = 10

export const tryCommand: Command = {
  help: `Usage: headwater try <rules.json> [--sample <rows>] [--json]

Prints what would change if these rules were published now, on the whole real history: which rows of which read models, from
what to what, and which events are behind it. They are folded beside what serves. Nothing is appended, nothing is changed.

The file is the data of rules.published, {"kind": "survivorship", "rules": {…}} (or identity, qualification), or
{"kind": "priorities", "rules": {"<source>": 1, …}} for the priorities of sources, or any event that configures,
{"type": "stages.published", "data": {…}}. A - for the file reads standard input.

${optionTable([
  ['--sample <rows>', `rows shown of each kind; default ${DEFAULT_SAMPLE}`],
  ['--json', 'print everything as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 tried · 1 the rules are refused, it failed, or no answer · 2 wrong command line or file`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      sample: { type: 'string' },
      json: { type: 'boolean' },
    })
    const [file, ...others] = positionals
    if (file === undefined || others.length > 0) throw new UsageError('try takes one file')
    const sample = wholeNumber('sample', values.sample, 0) ?? DEFAULT_SAMPLE
    const body = parsed(file, file === '-' ? (await terminal.stdin()).toString() : await read(file))
    const result = await runJob(terminal, { path: `/v1/rules/try?sample=${sample}`, body })
    if (values.json) terminal.out(JSON.stringify(result))
    else printDifferences(terminal, readDifferences(result))
    return 0
  },
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    throw new UsageError(`${file} can't be read`)
  }
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${file} is not JSON`)
  }
}
