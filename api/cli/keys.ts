import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { lockDirectory } from '../../engine/log/embedded/lock.ts'
import { randomKey } from '../../engine/privacy/aead.ts'
import { DATABASE_FILE, KEY_FILE } from '../../engine/privacy/format.ts'
import {
  masterKeyFor,
  masterKeyId,
  storedMasterKeyId,
  syncDirectory,
  writeKeyFile,
} from '../../engine/privacy/master-key.ts'
import { rekey } from '../../engine/privacy/rekey.ts'
import { rotateHandedIn, rotateKeptKey } from '../../engine/privacy/rotate-master.ts'
import { sentenceOf } from '../backup/backup.ts'
import {
  type Command,
  CommandFailed,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { findInstallation, type Installation } from './installation.ts'
import { createWorkBar } from './progress-bar.ts'
import { readMasterKeyFile } from './restore.ts'

const OPTIONS = { data: { type: 'string' }, 'new-key-file': { type: 'string' } } as const

export const keysCommand: Command = {
  help: `Usage: headwater keys rotate-master [--new-key-file <file>]
       headwater keys rekey

Both change the key store under HEADWATER_DATA (default ./data) in one transaction, with the engine stopped, and leave
the log as it is. A crash leaves the store as it was or as it shall be. Back up the keys before and after.

  rotate-master  a new master key: for when the old one may be known to somebody. Everything is wrapped anew; backups
                 of the keys go on needing the master key of their time.
  rekey          a new key for the hashes that identities are looked up by: for when a copy of the store and that key
                 may be known to somebody. Marks of erased people stay under the old one, as their values are gone.

${optionTable([
  [
    '--new-key-file <file>',
    'the new master key (32 bytes, base64 or hexadecimal); made there if the file is missing.',
  ],
  ['', 'Without it the new key is kept where the old one is: keys/master.key'],
  ['--data <directory>', 'the data directory, instead of HEADWATER_DATA'],
])}

Exit codes: 0 done · 1 refused or failed; the old key is in use · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [action, ...more] = positionals
    if (more.length > 0 || (action !== 'rotate-master' && action !== 'rekey'))
      throw new UsageError('keys takes rotate-master or rekey')
    const newKeyFile = values['new-key-file']
    if (action === 'rekey' && newKeyFile !== undefined) throw new UsageError('rekey takes no key')
    process.umask(0o077)
    const installation = findInstallation(terminal, values.data)
    return withStoppedEngine(installation, () => {
      return action === 'rekey'
        ? rekeyMapping(installation, terminal)
        : rotateMaster(installation, terminal, newKeyFile)
    })
  },
}

/** Holds the directory while nobody else has it. */
function withStoppedEngine({ data }: Installation, work: () => ExitCode): ExitCode {
  if (!existsSync(join(data, 'keys', DATABASE_FILE)))
    throw new CommandFailed(`there is no key store in ${join(data, 'keys')}`)
  const place = join(data, 'log')
  if (!existsSync(place)) throw new CommandFailed(`there is no log in ${data}`)
  const lock = lockDirectory(place)
  if (lock === undefined) throw new CommandFailed(`an engine runs on ${data}: stop it first`)
  try {
    return work()
  } catch (error) {
    if (error instanceof UsageError || error instanceof CommandFailed) throw error
    throw new CommandFailed(sentenceOf(error))
  } finally {
    lock.release()
  }
}

function rekeyMapping({ data, masterKey }: Installation, terminal: Terminal): ExitCode {
  const directory = join(data, 'keys')
  const bar = createWorkBar(terminal)
  const onRows = (done: number, of: number) => bar.update('identities', done, of)
  try {
    const generation = rekey({ directory, masterKey: masterKeyFor(directory, masterKey), onRows })
    bar.stop()
    terminal.out(`identities are looked up by key ${generation} now`)
    return 0
  } finally {
    bar.stop()
  }
}

function rotateMaster(
  { data, masterKey }: Installation,
  terminal: Terminal,
  newKeyFile: string | undefined,
): ExitCode {
  if (masterKey !== undefined && newKeyFile === undefined)
    throw new UsageError('HEADWATER_MASTER_KEY hands the key in: say by --new-key-file where the new one is')
  const directory = join(data, 'keys')
  const bar = createWorkBar(terminal)
  const onRows = (done: number, of: number) => bar.update('keys', done, of)
  const rotation = { directory, oldKey: masterKeyFor(directory, masterKey), onRows }
  try {
    if (newKeyFile === undefined) {
      const { oldKeyFile } = rotateKeptKey(rotation)
      bar.stop()
      terminal.out(`${join(directory, KEY_FILE)} is the master key now`)
      terminal.out(
        `the old one is ${oldKeyFile}: move it to where backups of its time are, and remove it here`,
      )
      return 0
    }
    const file = resolve(newKeyFile)
    const newKey = newKeyAt(file)
    if (masterKeyId(newKey).toString('hex') === storedMasterKeyId(directory))
      throw new UsageError(`${file} holds the key that is in use`)
    rotateHandedIn(rotation, newKey)
    bar.stop()
    terminal.out(`the key in ${file} is the master key now: set HEADWATER_MASTER_KEY to it for every start`)
    terminal.out('keep the old one as long as backups of its time last')
    return 0
  } finally {
    bar.stop()
  }
}

/** The key in a file, made durable there where it is missing: before anything is under it. */
function newKeyAt(file: string): Uint8Array {
  if (existsSync(file)) return readMasterKeyFile(file)
  const key = randomKey()
  writeKeyFile(file, Buffer.from(`${Buffer.from(key).toString('base64')}\n`))
  syncDirectory(dirname(file))
  return key
}
