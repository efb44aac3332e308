import { systemClock } from '../engine/clock.ts'
import { append } from './cli/append.ts'
import { type Command, CommandFailed, type ExitCode, type Terminal, UsageError } from './cli/command.ts'
import { importCommand } from './cli/import.ts'
import { show } from './cli/show.ts'
import { start } from './cli/start.ts'
import { stats } from './cli/stats.ts'
import { tail } from './cli/tail.ts'
import { processTerminal } from './cli/terminal.ts'

const COMMANDS: readonly Command[] = [start, importCommand, append, tail, show, stats]

/** Runs a command line (without `node` and the script) and resolves with its exit code. */
export async function main(
  args: readonly string[],
  terminal = processTerminal(systemClock),
): Promise<ExitCode> {
  const [name, ...rest] = args
  if (name === undefined) {
    terminal.err(usage())
    return 2
  }
  if (['help', '--help', '-h'].includes(name)) return help(terminal, rest[0])
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (command === undefined) return wrong(terminal, '', `there is no command ${name}`)
  if (asksForHelp(rest)) return help(terminal, name)
  try {
    return await command.run(rest, terminal)
  } catch (error) {
    if (error instanceof UsageError) return wrong(terminal, command.name, error.message)
    if (!(error instanceof CommandFailed)) throw error
    terminal.err(`headwater ${command.name}: ${error.message}`)
    return 1
  }
}

/** What stands after `--` is no option. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const options = end < 0 ? args : args.slice(0, end)
  return options.includes('--help') || options.includes('-h')
}

function help(terminal: Terminal, name: string | undefined): ExitCode {
  if (name === undefined) {
    terminal.out(usage())
    return 0
  }
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (command === undefined) return wrong(terminal, '', `there is no command ${name}`)
  terminal.out(command.help)
  return 0
}

function wrong(terminal: Terminal, name: string, message: string): ExitCode {
  terminal.err(`headwater${name === '' ? '' : ` ${name}`}: ${message}`)
  terminal.err(`See headwater ${name === '' ? '' : `${name} `}--help`)
  return 2
}

function usage(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length))
  return [
    'Usage: headwater <command> [options]',
    '',
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'headwater <command> --help tells more. Exit codes: 0 done · 1 failed or not found · 2 wrong command line ·',
    '3 done, but rows were refused or events quarantined · 130 interrupted',
  ].join('\n')
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
