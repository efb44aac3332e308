import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { backup } from '../backup/backup.ts'
import type { KeyBackupReport } from '../backup/backup-keys.ts'
import { expiredBackups, pruneKeys } from '../backup/backup-keys.ts'
import type { LogBackupReport } from '../backup/backup-log.ts'
import { shownBytes } from '../doctor/finding.ts'
import { packageVersion } from '../package-version.ts'
import {
  type Command,
  CommandFailed,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
  wholeNumber,
} from './command.ts'
import { findInstallation } from './installation.ts'
import { createWorkBar } from './progress-bar.ts'

const OPTIONS = {
  log: { type: 'string' },
  keys: { type: 'string' },
  'log-only': { type: 'boolean' },
  'keys-only': { type: 'boolean' },
  data: { type: 'string' },
  'expires-days': { type: 'string' },
  'with-master-key': { type: 'boolean' },
  'with-credentials': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const backupCommand: Command = {
  help: `Usage: headwater backup --log <directory> --keys <directory>
       headwater backup <directory> [--log-only | --keys-only]
       headwater backup prune <directory of key backups>

Backs up the log and the key store under HEADWATER_DATA (default ./data), beside a running engine or without one. They
go to two places, because together they can be read: keep them apart. A backup to the same --log directory copies only
what is new. Each backup of the keys is a directory of its own, with the day on which it expires; prune deletes those
whose day has come. The log is always copied first: keys copied later open everything in it.

The master key is not among the keys: without it they are worthless, to a thief and to you. Keep it elsewhere.

${optionTable([
  ['--log <directory>', 'where the log goes; alone: only the log'],
  ['--keys <directory>', 'where the keys go; alone: only the keys'],
  ['--data <directory>', 'the data directory, instead of HEADWATER_DATA'],
  ['--expires-days <n>', 'instead of HEADWATER_KEY_BACKUP_DAYS (default 30)'],
  ['--with-master-key', 'puts keys/master.key among the keys: whoever has both parts then reads everything'],
  ['--with-credentials', 'puts credentials.json among the keys'],
  ['--json', 'one JSON object'],
])}

headwater backup <directory> is short for --log <directory>/log --keys <directory>/keys.

Exit codes: 0 backed up · 1 failed; the former backup is whole · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    // Whatever is written holds customers.
    process.umask(0o077)
    if (positionals[0] === 'prune') return prune(positionals.slice(1), terminal)
    const places = placesOf(values, positionals)
    const installation = findInstallation(terminal, values.data)
    const bar = createWorkBar(terminal)
    const result = await backup({
      ...places,
      data: installation.data,
      files: installation.files,
      workspace: installation.configuration.workspace,
      release: packageVersion(),
      now: () => terminal.clock.nowMs(),
      expiresDays:
        wholeNumber('expires-days', values['expires-days'], 1) ?? installation.configuration.keyBackupDays,
      withMasterKey: values['with-master-key'] ?? false,
      withCredentials: values['with-credentials'] ?? false,
      onProgress: (done, of) => bar.update('copying the log', done, of),
    }).finally(() => bar.stop())
    if (result._tag === 'Left') throw new CommandFailed(result.left)
    const { log, keys } = result.right
    if (values.json)
      terminal.out(JSON.stringify({ log: log && jsonOfLog(log), keys: keys && jsonOfKeys(keys) }))
    else print(terminal, places, log, keys, values['with-master-key'] ?? false)
    return 0
  },
}

interface Places {
  readonly log: string | undefined
  readonly keys: string | undefined
}

function placesOf(
  values: {
    readonly log?: string | undefined
    readonly keys?: string | undefined
    readonly 'log-only'?: boolean | undefined
    readonly 'keys-only'?: boolean | undefined
  },
  positionals: readonly string[],
): Places {
  const [directory] = positionals
  if (positionals.length > 1) throw new UsageError('backup takes one directory')
  if (values['log-only'] && values['keys-only'])
    throw new UsageError('--log-only and --keys-only exclude each other')
  const log = values.log ?? (directory === undefined ? undefined : join(directory, 'log'))
  const keys = values.keys ?? (directory === undefined ? undefined : join(directory, 'keys'))
  const places = {
    log: values['keys-only'] || log === undefined ? undefined : resolve(log),
    keys: values['log-only'] || keys === undefined ? undefined : resolve(keys),
  }
  if (places.log === undefined && places.keys === undefined)
    throw new UsageError('say where the backup goes: --log <directory> and --keys <directory>')
  return places
}

function jsonOfLog({ manifest, copiedFiles, copiedBytes, keptFiles }: LogBackupReport) {
  const { files, ...stated } = manifest
  return { ...stated, files: files.length, copiedFiles, copiedBytes, keptFiles }
}

function jsonOfKeys({ directory, manifest, expired }: KeyBackupReport) {
  const { files, ...stated } = manifest
  return { directory, ...stated, files: files.length, expired }
}

function print(
  { out, style }: Terminal,
  places: Places,
  log: LogBackupReport | undefined,
  keys: KeyBackupReport | undefined,
  withMasterKey: boolean,
): void {
  if (log !== undefined) {
    const { manifest, copiedFiles, copiedBytes, keptFiles } = log
    out(`log   up to position ${manifest.head.position} in ${places.log}`)
    out(`      ${copiedFiles} files copied (${shownBytes(copiedBytes)}), ${keptFiles} were there already`)
  }
  if (keys === undefined) {
    out(
      style.warn('keys  not backed up: without a backup of the keys made after this, the log can’t be read'),
    )
    return
  }
  out(`keys  in ${keys.directory}, until ${keys.manifest.expiresAt.slice(0, 10)}`)
  if (!withMasterKey) out('      without the master key, which opens them: keep that elsewhere')
  if (keys.expired > 0) {
    out(style.warn(`      ${keys.expired} older ones have expired: headwater backup prune ${places.keys}`))
  }
}

function prune(directories: readonly string[], { clock, out }: Terminal): ExitCode {
  const [directory] = directories
  if (directory === undefined || directories.length > 1)
    throw new UsageError('prune takes one directory: that of the key backups')
  if (!existsSync(directory)) throw new CommandFailed(`${directory} isn't there`)
  const inside = join(directory, 'keys')
  const nowMs = clock.nowMs()
  // The directory that `backup <directory>` was told.
  const place = expiredBackups(directory, nowMs).length === 0 && existsSync(inside) ? inside : directory
  const deleted = pruneKeys(place, nowMs)
  for (const each of deleted) out(`deleted ${each}`)
  if (deleted.length === 0) out('nothing has expired')
  return 0
}
