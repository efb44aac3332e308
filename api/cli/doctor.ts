import { examine } from '../doctor/doctor.ts'
import type { Finding } from '../doctor/finding.ts'
import { systemMachine } from '../doctor/machine.ts'
import { type Command, readArguments, type Terminal, UsageError } from './command.ts'

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
    else print(terminal, checks)
    return status === 'fail' ? 1 : 0
  },
}

function worst(checks: readonly Finding[]): Finding['status'] {
  const found = new Set(checks.map(({ status }) => status))
  if (found.has('fail')) return 'fail'
  return found.has('warn') ? 'warn' : 'ok'
}

function print({ out, style }: Terminal, checks: readonly Finding[]): void {
  const width = Math.max(...checks.map(({ check }) => check.length))
  for (const { status, check, message, advice } of checks) {
    const shown = status === 'ok' ? style.dim('ok  ') : style.warn(status)
    out(`${shown}  ${style.bold(check.padEnd(width))}  ${message}`)
    if (advice !== undefined) out(`${' '.repeat(6 + width + 2)}→ ${advice}`)
  }
  const count = (wanted: Finding['status']) => checks.filter(({ status }) => status === wanted).length
  out(`${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed`)
}
