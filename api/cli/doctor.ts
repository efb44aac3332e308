import { examine } from '../doctor/doctor.ts'
import { systemMachine } from '../doctor/machine.ts'
import { type Command, readArguments, UsageError } from './command.ts'
import { printFindings, worst } from './findings.ts'

export const doctor: Command = {
  help: `Usage: headwater doctor [--json]

Checks this machine and the installation under HEADWATER_DATA (default ./data), and says what to do: Node, memory,
limits, disk and fsync, permissions, settings; then log, keys and read models, read-only. Where an engine runs on the
directory, it is asked over HTTP instead, and nothing of its is opened. It prints no personal data and no secret.

  --json  one JSON object: status and the list of checks

Exit codes: 0 nothing failed (there may be warnings) · 1 something failed · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } })
    if (positionals.length > 0) throw new UsageError('doctor takes options only')
    const checks = await examine({ env: terminal.env, machine: systemMachine, clock: terminal.clock })
    const status = worst(checks)
    if (values.json) terminal.out(JSON.stringify({ status, checks }))
    else printFindings(terminal, checks)
    return status === 'fail' ? 1 : 0
  },
}
