import { join, resolve } from 'node:path'
import { isLockedElsewhere } from '../../engine/log/embedded/lock.ts'
import { verifyData } from '../backup/verify.ts'
import { verifyBackup } from '../backup/verify-backup.ts'
import type { Finding } from '../doctor/finding.ts'
import { type Command, optionTable, readArguments, UsageError } from './command.ts'
import { printFindings, worst } from './findings.ts'
import { findInstallation } from './installation.ts'
import { createWorkBar } from './progress-bar.ts'
import { readMasterKeyFile } from './restore.ts'

const OPTIONS = {
  data: { type: 'string' },
  backup: { type: 'string', multiple: true },
  'master-key-file': { type: 'string' },
  'skip-read-models': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const verify: Command = {
  help: `Usage: headwater verify [--data <directory>] [--json]
       headwater verify --backup <directory> [--data <directory>] [--json]

Reads everything under HEADWATER_DATA (default ./data), beside a running engine or without one, and changes nothing:
every block of the log and that no segment is missing; every row of the key store, which must open; every sealed part of
every event, which must open unless its owner was erased; quarantine; and every read model, which is folded once more from
the log in files of its own (<data>/versions, removed at the end) and must be equal row by row. With --backup it reads a
backup instead: every file against the manifest, the log's blocks, the keys, and whether they belong together.

${optionTable([
  ['--data <directory>', 'the data directory, instead of HEADWATER_DATA'],
  ['--backup <directory>', 'of the log, the keys, or both; may be repeated'],
  ['--master-key-file <file>', 'opens the keys of a backup; HEADWATER_MASTER_KEY does too'],
  [
    '--skip-read-models',
    'does not fold the read models once more, which takes time and as much disk as they do',
  ],
  ['--json', 'one JSON object: status and the list of checks'],
])}

Exit codes: 0 nothing failed (there may be warnings) · 1 something is damaged or missing · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    if (positionals.length > 0) throw new UsageError('verify takes options only')
    const installation = findInstallation(terminal, values.data)
    const { data, files, configuration } = installation
    const keyFile = values['master-key-file']
    const masterKey = keyFile === undefined ? installation.masterKey : readMasterKeyFile(keyFile)
    const bar = createWorkBar(terminal)
    const checks: Finding[] = []
    try {
      for (const each of values.backup ?? []) {
        const nowMs = terminal.clock.nowMs()
        checks.push(
          ...verifyBackup({ directory: resolve(each), masterKey, nowMs, files, onProgress: bar.update }),
        )
      }
      if (values.backup === undefined || values.data !== undefined) {
        const isRunning = isLockedElsewhere(join(data, 'log'))
        const { workspace } = configuration
        const skipReadModels = values['skip-read-models']
        const options = {
          data,
          workspace,
          masterKey,
          files,
          isRunning,
          skipReadModels,
          onProgress: bar.update,
        }
        const isWhole = await terminal.interruptible(async (signal) => {
          checks.push(...(await verifyData({ ...options, signal })))
          return !signal.aborted
        })
        if (!isWhole) return 130
      }
    } finally {
      bar.stop()
    }
    const status = worst(checks)
    if (values.json) terminal.out(JSON.stringify({ status, checks }))
    else printFindings(terminal, checks)
    return status === 'fail' ? 1 : 0
  },
}
