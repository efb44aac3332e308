import { systemClock } from '../engine/clock.ts'
import { type Command, CommandFailed, type ExitCode, type Terminal, UsageError } from './cli/command.ts'
import { processTerminal } from './cli/terminal.ts'

/** A command is loaded when it is asked for: showing a profile needs no importer, and none but `start` an engine. */
interface CommandEntry {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly load: () => Promise<Command>
}

const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'start',
    summary: 'run the engine: log, read models, HTTP and NATS',
    load: async () => (await import('./cli/start.ts')).start,
  },
  {
    name: 'import',
    summary: 'send a CSV or NDJSON file through a mapping',
    load: async () => (await import('./cli/import.ts')).importCommand,
  },
  {
    name: 'append',
    summary: 'append events given as JSON',
    load: async () => (await import('./cli/append.ts')).append,
  },
  {
    name: 'tail',
    summary: 'print events as they are appended',
    load: async () => (await import('./cli/tail.ts')).tail,
  },
  {
    name: 'show',
    summary: 'show a person or company, and why it looks like that',
    load: async () => (await import('./cli/show.ts')).show,
  },
  {
    name: 'why',
    summary: 'why a field of a profile is what it is, in one sentence',
    load: async () => (await import('./cli/why.ts')).why,
  },
  {
    name: 'why-merged',
    summary: 'which identities make up a profile, which events say so, and how to undo it',
    load: async () => (await import('./cli/why-merged.ts')).whyMerged,
  },
  {
    name: 'timeline',
    summary: "a person's events, newest first, now or as of a moment",
    load: async () => (await import('./cli/timeline.ts')).timeline,
  },
  {
    name: 'conflicts',
    summary: 'fields that sources contradict each other about',
    load: async () => (await import('./cli/conflicts.ts')).conflicts,
  },
  {
    name: 'resolve',
    summary: 'settle what a field is where sources contradict each other',
    load: async () => (await import('./cli/resolve.ts')).resolve,
  },
  {
    name: 'lock',
    summary: 'hold a field at a value, whatever sources write',
    load: async () => (await import('./cli/lock.ts')).lock,
  },
  {
    name: 'unlock',
    summary: 'let the rule decide about a field again',
    load: async () => (await import('./cli/lock.ts')).unlock,
  },
  {
    name: 'rules',
    summary: 'survivorship rules: list, check or publish them',
    load: async () => (await import('./cli/rules.ts')).rules,
  },
  {
    name: 'unmerge',
    summary: 'take a wrongly merged profile apart again; --dry-run shows what would become of it',
    load: async () => (await import('./cli/unmerge.ts')).unmerge,
  },
  {
    name: 'review',
    summary: 'links between people that a limit or a cut refused, for you to decide',
    load: async () => (await import('./cli/review.ts')).review,
  },
  {
    name: 'duplicates',
    summary: 'profiles that are probably one, with reasons, for you to link or keep apart',
    load: async () => (await import('./cli/duplicates.ts')).duplicates,
  },
  {
    name: 'link',
    summary: 'say that two identities are one person',
    load: async () => (await import('./cli/identity-decisions.ts')).link,
  },
  {
    name: 'cut',
    summary: 'say that two identities are different people; holds until lifted',
    load: async () => (await import('./cli/identity-decisions.ts')).cut,
  },
  {
    name: 'lift',
    summary: 'lift a cut',
    load: async () => (await import('./cli/identity-decisions.ts')).lift,
  },
  {
    name: 'keep-apart',
    summary: 'answer a refused link: they look alike and are not the same',
    load: async () => (await import('./cli/identity-decisions.ts')).keepApart,
  },
  {
    name: 'fields',
    summary: 'fields that departments define: list, define, archive',
    load: async () => (await import('./cli/fields.ts')).fields,
  },
  {
    name: 'objects',
    summary: 'objects that departments define, and their records',
    load: async () => (await import('./cli/objects.ts')).objects,
  },
  {
    name: 'changes',
    summary: 'what changed in a profile or record between two moments, and because of which events',
    load: async () => (await import('./cli/changes.ts')).changes,
  },
  {
    name: 'replay',
    summary: 'fold read models as of a moment into a file of their own, with their digests',
    load: async () => (await import('./cli/replay.ts')).replay,
  },
  {
    name: 'erase',
    summary: 'have a person forgotten: keys, read models, quarantine; answers with a certificate',
    load: async () => (await import('./cli/erase.ts')).erase,
  },
  {
    name: 'erasures',
    summary: 'erasures that wait, are under way or done',
    load: async () => (await import('./cli/erasures.ts')).erasures,
  },
  {
    name: 'open',
    summary: 'print the address of the page, with what opens it',
    load: async () => (await import('./cli/open.ts')).open,
  },
  {
    name: 'stats',
    summary: 'where the log and the read models stand',
    load: async () => (await import('./cli/stats.ts')).stats,
  },
  {
    name: 'backup',
    summary: 'back up log and keys, while the engine runs',
    load: async () => (await import('./cli/backup.ts')).backupCommand,
  },
  {
    name: 'restore',
    summary: 'make a data directory from a backup, with every erasure since',
    load: async () => (await import('./cli/restore.ts')).restoreCommand,
  },
  {
    name: 'copy',
    summary: 'copy a log to another one, in a directory or an EventStoreDB, and compare the two',
    load: async () => (await import('./cli/copy.ts')).copy,
  },
  {
    name: 'verify',
    summary: 'read and check everything: log, keys, read models, backups',
    load: async () => (await import('./cli/verify.ts')).verify,
  },
  {
    name: 'rebuild',
    summary: 'fold read models from the beginning beside those that serve, and switch',
    load: async () => (await import('./cli/rebuild.ts')).rebuild,
  },
  {
    name: 'try',
    summary: 'what would change if these rules were published, on the whole history',
    load: async () => (await import('./cli/try.ts')).tryCommand,
  },
  {
    name: 'diff',
    summary: 'which rows a new build of a read model would change, and why',
    load: async () => (await import('./cli/diff.ts')).diff,
  },
  {
    name: 'switch',
    summary: 'let the build that waits serve',
    load: async () => (await import('./cli/switch.ts')).switchCommand,
  },
  {
    name: 'rollback',
    summary: 'let the build before serve again',
    load: async () => (await import('./cli/switch.ts')).rollback,
  },
  {
    name: 'keys',
    summary: 'change the master key, or the key that identities are looked up by',
    load: async () => (await import('./cli/keys.ts')).keysCommand,
  },
  {
    name: 'audit',
    summary: 'prove that an event is in the log, and that history was not changed',
    load: async () => (await import('./cli/audit.ts')).audit,
  },
  {
    name: 'doctor',
    summary: 'check the machine and the installation, and say what to do',
    load: async () => (await import('./cli/doctor.ts')).doctor,
  },
]

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
  const entry = COMMANDS.find((candidate) => candidate.name === name)
  if (entry === undefined) return wrong(terminal, '', `there is no command ${name}`)
  if (asksForHelp(rest)) return help(terminal, name)
  try {
    const command = await entry.load()
    return await command.run(rest, terminal)
  } catch (error) {
    if (error instanceof UsageError) return wrong(terminal, name, error.message)
    if (!(error instanceof CommandFailed)) throw error
    terminal.err(`headwater ${name}: ${error.message}`)
    return 1
  }
}

/** What stands after `--` is no option. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const options = end < 0 ? args : args.slice(0, end)
  return options.includes('--help') || options.includes('-h')
}

async function help(terminal: Terminal, name: string | undefined): Promise<ExitCode> {
  if (name === undefined) {
    terminal.out(usage())
    return 0
  }
  const entry = COMMANDS.find((candidate) => candidate.name === name)
  if (entry === undefined) return wrong(terminal, '', `there is no command ${name}`)
  terminal.out((await entry.load()).help)
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
