import { CONNECTION_HELP, type Command, optionTable, readArguments, UsageError } from './command.ts'
import { readRebuilt, runJob } from './version-jobs.ts'

export const rebuild: Command = {
  help: `Usage: headwater rebuild <projection>… [--json]
       headwater rebuild --all [--json]

Folds read models from the log's beginning, beside those that serve, on the running engine, which goes on following the log;
then each takes the other's place at once. Prints whether both held the same rows, by their digests.

${optionTable([
  ['--all', 'every read model'],
  ['--json', 'print the result as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 all were what the log comes to · 1 some weren't (they are now), it failed, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      all: { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const all = values.all === true
    if (all === positionals.length > 0) throw new UsageError('rebuild takes names of projections, or --all')
    const body = all ? {} : { projections: positionals }
    const result = await runJob(terminal, { path: '/v1/projections/rebuild', body, admin: true })
    const builds = readRebuilt(result)
    if (values.json) terminal.out(JSON.stringify(result))
    else
      for (const { projection, rows, before, after, equal } of builds) {
        const told = equal
          ? `equal, ${rows} rows, digest ${after}`
          : terminal.style.warn(`was ${before}, is now ${after}, ${rows} rows`)
        terminal.out(`${terminal.style.bold(projection)}  ${told}`)
      }
    return builds.every(({ equal }) => equal) ? 0 : 1
  },
}
