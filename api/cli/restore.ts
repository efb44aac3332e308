import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { KEY_BYTES } from '../../engine/privacy/format.ts'
import { decodeMasterKey } from '../../engine/privacy/master-key.ts'
import { type RestoreReport, restore } from '../backup/restore.ts'
import { counted } from '../doctor/finding.ts'
import {
  type Command,
  CommandFailed,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { findInstallation, type Installation } from './installation.ts'
import { createWorkBar } from './progress-bar.ts'

const OPTIONS = {
  log: { type: 'string' },
  keys: { type: 'string' },
  to: { type: 'string' },
  erasures: { type: 'string', multiple: true },
  'master-key-file': { type: 'string' },
  'without-keys': { type: 'boolean' },
  yes: { type: 'boolean' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const restoreCommand: Command = {
  help: `Usage: headwater restore --log <directory> --keys <directory> --to <data directory>
       headwater restore --log <directory> --without-keys --yes --to <data directory>

Makes a data directory from what headwater backup wrote. Everything is checked before anything is written, and the
target must be empty. Before the directory can be opened, whoever was erased after the keys were copied is forgotten
again, as far as the log or --erasures knows of it. Read models are folded anew by the first start.

${optionTable([
  ['--log <directory>', 'the backup of the log'],
  ['--keys <directory>', 'the backup of the keys; of several in it the newest'],
  ['--to <directory>', 'the data directory to be made'],
  ['--erasures <path>', 'a newer log, its backup, or the certificate of an erasure; may be repeated'],
  [
    '--master-key-file <file>',
    'the master key of that time (32 bytes, base64 or hexadecimal); it is put beside the keys',
  ],
  ['--without-keys', 'with the log alone: everybody in it is forgotten for ever, and new keys are made'],
  ['--yes', 'says that this is meant'],
  ['--force', 'restores expired keys, or keys that are older than the log, all the same'],
  ['--json', 'one JSON object'],
])}

HEADWATER_MASTER_KEY hands the master key in, as it does for start. api/backup/DRILL.md tells how to practise this.

Exit codes: 0 restored · 1 refused or failed · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    if (positionals.length > 0) throw new UsageError('restore takes options only')
    const { log, to, keys } = values
    if (log === undefined || to === undefined) throw new UsageError('restore needs --log and --to')
    const without = values['without-keys'] ?? false
    if (without === (keys !== undefined))
      throw new UsageError('restore needs either --keys or --without-keys')
    process.umask(0o077)
    const installation = findInstallation(terminal)
    if (without && !values.yes) {
      for (const line of LOUD) terminal.err(terminal.style.warn(line))
      throw new CommandFailed('nothing was done: say --yes if this is meant')
    }
    const bar = createWorkBar(terminal)
    const result = await restore({
      log: resolve(log),
      keys: keys === undefined ? undefined : resolve(keys),
      to: resolve(to),
      erasures: (values.erasures ?? []).map((path) => resolve(path)),
      masterKey: masterKeyIn(values['master-key-file'], installation),
      force: values.force ?? false,
      files: installation.files,
      clock: terminal.clock,
      onProgress: bar.update,
    }).finally(() => bar.stop())
    if (result._tag === 'Left') throw new CommandFailed(result.left)
    if (values.json) terminal.out(JSON.stringify(result.right))
    else print(terminal, resolve(to), result.right)
    return 0
  },
}

const LOUD = [
  'Without the old keys everybody in this log is forgotten, for ever: names, addresses, all personal fields of all events',
  'read as erased. Counts and sums stand. Whoever sends an event again is somebody new, also who was erased and had',
  'not consented since. Nothing brings this back but the old key store with its master key.',
]

function masterKeyIn(
  file: string | undefined,
  { masterKey }: Installation,
): { readonly key: Uint8Array; readonly keep: boolean } | undefined {
  if (file === undefined) return masterKey === undefined ? undefined : { key: masterKey, keep: false }
  return { key: readMasterKeyFile(file), keep: true }
}

/** Throws `UsageError` where it can't be read, `KeyStoreError` where it is no key. */
export function readMasterKeyFile(file: string): Uint8Array {
  try {
    const bytes = readFileSync(file)
    return bytes.length === KEY_BYTES ? new Uint8Array(bytes) : decodeMasterKey(bytes.toString('latin1'))
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : 'no master key'}`)
  }
}

function print({ out, style }: Terminal, to: string, report: RestoreReport): void {
  const { head, erased, keysNeeded, overruled, keysTakenAt } = report
  for (const objection of overruled) out(style.warn(`forced: ${objection}`))
  out(`${style.bold(to)} holds the log up to position ${head.position}, as of ${report.logTakenAt}`)
  if (keysTakenAt === undefined) {
    out(style.warn('under a new key store: everybody in the log is forgotten'))
  } else {
    out(`and the keys as of ${keysTakenAt}`)
    const again = erased.mappings + erased.keys > 0 ? `: ${erased.mappings} were forgotten again` : ''
    out(`${counted(erased.named, 'identity id')} of erased people named${again}`)
    if (erased.bodies > 0)
      out(`${counted(erased.bodies, 'refused event')} deleted that named them, or may have`)
  }
  if (keysNeeded !== undefined && keysNeeded.unexplained.count > 0) {
    const { count, first, last } = keysNeeded.unexplained
    out(
      style.warn(
        `${counted(count, 'sealed part')} between positions ${first} and ${last} can't be opened: right if those people were erased after the log was copied`,
      ),
    )
  }
  if (!report.hasCredentials)
    out('Credentials are made anew by the first start, unless the environment names them.')
  out(`Start it with HEADWATER_DATA=${to} npx headwater start; the read models are folded anew.`)
}
