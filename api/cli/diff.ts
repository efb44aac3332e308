import { projections } from '../../projections/catalog.ts'
import { diffAnew } from '../versions/compare.ts'
import { showDifferences } from '../versions/show-differences.ts'
import { besideEngine } from '../versions/verify-served.ts'
import {
  CONNECTION_HELP,
  type Command,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
  wholeNumber,
} from './command.ts'
import { findInstallation } from './installation.ts'
import { printDifferences } from './print-diff.ts'
import { createWorkBar } from './progress-bar.ts'
import { readDifferences, runJob } from './version-jobs.ts'

const OPTIONS = { data: { type: 'string' }, sample: { type: 'string' }, json: { type: 'boolean' } } as const
const DEFAULT_SAMPLE = 10

export const diff: Command = {
  help: `Usage: headwater diff <projection> [--sample <rows>] [--json]
       headwater diff <projection> --data <directory> [--sample <rows>] [--json]

Prints which rows of a read model would change, from what to what, and which events are behind it, if the build that waits
(HEADWATER_BUILDS=hold) served; where none waits, if it were folded anew by the engine's code and configuration.
With --data it is this release's own code that folds, beside a running engine or without one: so a new release shows what it
would change before it is started on the data. Nothing is changed.

${optionTable([
  ['--data <directory>', 'compare by the code of this release, on these files'],
  ['--sample <rows>', `rows shown of each kind; default ${DEFAULT_SAMPLE}`],
  ['--json', 'print everything as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 compared · 1 it failed, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [name, ...others] = positionals
    if (name === undefined || others.length > 0) throw new UsageError('diff takes the name of one projection')
    const sample = wholeNumber('sample', values.sample, 0) ?? DEFAULT_SAMPLE
    const path = `/v1/projections/${encodeURIComponent(name)}/diff?sample=${sample}`
    const result =
      values.data === undefined
        ? await runJob(terminal, { path })
        : await diffBeside(terminal, values.data, name, sample)
    if (values.json) terminal.out(JSON.stringify(result))
    else printDifferences(terminal, readDifferences(result))
    return 0
  },
}

async function diffBeside(terminal: Terminal, data: string, name: string, sample: number): Promise<unknown> {
  const projection = projections.find((each) => each.name === name)
  if (projection === undefined) throw new UsageError(`there is no projection ${name}`)
  const installation = findInstallation(terminal, data)
  const bar = createWorkBar(terminal)
  try {
    return await terminal.interruptible((signal) =>
      besideEngine(
        {
          ...{ data: installation.data, masterKey: installation.masterKey, signal },
          onProgress: ({ step, done, of }) => bar.update(step, done, of),
        },
        // People stay the ids of their identities: nobody resolves them here.
        async (world) => showDifferences(await diffAnew(world, [projection], [], sample), (id) => id),
      ),
    )
  } finally {
    bar.stop()
  }
}
