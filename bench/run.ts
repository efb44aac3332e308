import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Question } from './question.ts'

/** Each loads its bench when it is asked. */
const QUESTIONS: Readonly<Record<string, Question>> = {
  main: {
    parts: ['batch', 'single', 'freshness', 'queries', 'sustained', 'sweep'],
    about: 'the main job: intake over NATS, freshness, sustained rate, queries, latency by rate',
    run: async (options) => (await import('./main.ts')).benchMain(options),
  },
  memory: {
    parts: [],
    about: 'how memory grows over five million events, all read models following',
    run: async (options) => (await import('./memory.ts')).benchMemory(options),
  },
  log: {
    parts: ['append', 'single', 'writers', 'sealed', 'audit', 'growth', 'read'],
    about: 'the embedded log as a library: durable appends against peers, reads, sealing, proofs',
    run: async (options) => (await import('./log.ts')).benchLog(options),
  },
  open: {
    parts: [],
    about: 'how long a log of 10 GB takes to open, alone and with the whole engine',
    run: async (options) => (await import('./open.ts')).benchOpen(options),
  },
  duplicates: {
    parts: ['febrl3', 'fake_1000', 'restaurants'],
    about: 'how well probable duplicates are found, without labels, in three public sets of records',
    run: async (options) => (await import('./duplicates.ts')).benchDuplicates(options),
  },
  project: {
    parts: ['rebuild', 'emmett', 'live', 'asking'],
    about: 'rebuilding read models, folding what comes late and twice, asking for the past',
    run: async (options) => (await import('./project.ts')).benchProject(options),
  },
  esdb: {
    parts: ['single', 'batch', 'flood', 'read', 'adapter'],
    about:
      "EventStoreDB's protocol against a server that stores nothing, and a log that lies in an EventStoreDB",
    run: async (options) => (await import('./esdb.ts')).benchEsdb(options),
  },
}

const HELP = [
  'Usage: npm run -s bench -- <question> [--json] [--quick] [--only <part>]',
  '',
  'Questions:',
  ...Object.entries(QUESTIONS).map(([name, { about, parts }]) =>
    [
      `  ${name.padEnd(8)} ${about}`,
      ...(parts.length > 0 ? [`           parts: ${parts.join(', ')}`] : []),
    ].join('\n'),
  ),
  '',
  '  --json   the last line printed is one JSON object with the results',
  '  --quick  under one minute instead of ten, the same names; writes no bench/RESULTS.md',
  '  --only   one part, while looking for what it spends its time on; may be repeated; writes nothing either',
  '',
  'Starts and stops its own servers on loopback. `main` and `memory` need nats-server on the PATH; `log` tells which peers are missing.',
  'Exit codes: 0 everything was measured (met or not) · 1 something was not · 2 wrong command line · 130 interrupted',
].join('\n')

process.exitCode = await run(process.argv.slice(2))

async function run(args: readonly string[]): Promise<number> {
  const parsed = parse(args)
  if (typeof parsed === 'string') {
    console.error(`${parsed}\n\n${HELP}`)
    return 2
  }
  const { values, positionals } = parsed
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const [name = '', ...rest] = positionals
  const question = Object.hasOwn(QUESTIONS, name) ? QUESTIONS[name] : undefined
  if (question === undefined || rest.length > 0) {
    console.error(`${name === '' ? 'No question.' : `Unknown: ${positionals.join(' ')}.`}\n\n${HELP}`)
    return 2
  }
  const unknown = values.only.find((part) => !question.parts.includes(part))
  if (unknown !== undefined) {
    console.error(`${name} has no part ${unknown}.\n\n${HELP}`)
    return 2
  }
  return question.run({
    ...values,
    root: join(import.meta.dirname, '..'),
    print: (text) => console.log(text),
    say: (line) => console.error(line),
  })
}

function parse(args: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: flag,
        quick: flag,
        only: { type: 'string', multiple: true, default: [] },
        help: { ...flag, short: 'h' },
      },
    })
  } catch (error) {
    return error instanceof Error ? error.message : 'The command line is wrong.'
  }
}
