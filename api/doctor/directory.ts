import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as t from 'io-ts'
import { DATA_FORMAT, RESTORING } from '../engine.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import type { Machine } from './machine.ts'

/** What must be there where an installation is. */
function isInstalled(directory: string): boolean {
  return ['FORMAT', 'log', 'keys'].some((name) => existsSync(join(directory, name)))
}

export function checkFormat({ readText }: Machine, directory: string): Finding {
  if (!isInstalled(directory)) return ok('data', `${directory} holds nothing yet: the first start makes it`)
  const stated = readText(join(directory, 'FORMAT'))?.trim()
  if (stated === String(DATA_FORMAT)) return ok('data', `${directory}, format ${stated}`)
  if (stated === undefined) {
    return warn(
      'data',
      `${join(directory, 'FORMAT')} is missing`,
      `if this is a restored backup, restore it whole; a start writes ${DATA_FORMAT} into it`,
    )
  }
  if (stated === RESTORING) {
    const message = `${directory} holds a restore that was never finished`
    return fail('data', message, 'remove it, then restore again')
  }
  const found = /^\d{1,9}$/.test(stated) ? stated : 'that is no number'
  return fail(
    'data',
    `${directory} has format ${found}, this release reads ${DATA_FORMAT}`,
    'use the release that wrote it, or a newer one',
  )
}

/** Open to others by themselves: with one of these a stranger reads everything. */
const SECRETS = ['credentials.json', 'keys/master.key']

export function checkPermissions(machine: Machine, directory: string): readonly Finding[] {
  const own = machine.mode(directory)
  if (machine.platform === 'win32' || own === undefined) return []
  const loose = looseFiles(machine, directory, (own.bits & 0o077) !== 0)
  const findings = loose.map((path) => {
    const bits = (machine.mode(join(directory, path))?.bits ?? 0).toString(8).padStart(3, '0')
    return fail(
      'permissions',
      `${path} can be read or written by others (mode ${bits})`,
      `chmod go-rwx '${join(directory, path)}'`,
    )
  })
  if (findings.length === 0 && (own.bits & 0o077) !== 0) {
    const message = `${directory} is open to others (mode ${own.bits.toString(8)})`
    findings.push(warn('permissions', message, `chmod 700 '${directory}'`))
  }
  if (machine.user !== undefined && machine.user !== 0 && machine.user !== own.owner) {
    const message = 'the data directory belongs to another user than the one who runs this'
    findings.push(warn('permissions', message, 'run the engine and its commands as one user'))
  }
  return findings.length === 0 ? [ok('permissions', 'nobody else can read the data')] : findings
}

/** Files that others could read: the secrets in any case, the rest where the directory lets others in. */
function looseFiles({ mode }: Machine, directory: string, isOpen: boolean): readonly string[] {
  const paths = isOpen ? [...SECRETS, ...dataFiles(directory)] : SECRETS
  return paths.filter((path) => ((mode(join(directory, path))?.bits ?? 0) & 0o077) !== 0)
}

function dataFiles(directory: string): readonly string[] {
  return ['', 'keys', 'log', 'quarantine'].flatMap((folder) => {
    try {
      const names = readdirSync(join(directory, folder)).map((name) => join(folder, name))
      return names.filter((path) => /\.(?:sqlite|sqlite-wal|hwl)$/.test(path))
    } catch {
      return []
    }
  })
}

const credentials = t.type({ writeKey: t.string, readToken: t.string })

export function checkCredentials(
  { readText }: Machine,
  directory: string,
  given: { readonly writeKey: string | undefined; readonly readToken: string | undefined },
): Finding {
  if (given.writeKey !== undefined && given.readToken !== undefined)
    return ok('credentials', 'from the environment')
  const path = join(directory, 'credentials.json')
  const text = readText(path)
  if (text === undefined) {
    if (!existsSync(path)) return ok('credentials', 'none yet: the next start makes them and shows them once')
    return fail('credentials', `${path} can't be read`, 'give the user who runs the engine the right to')
  }
  if (isCredentials(text)) return ok('credentials', path)
  return fail('credentials', `${path} is unusable`, 'repair it, or remove it to have new credentials made')
}

function isCredentials(text: string): boolean {
  try {
    return credentials.is(JSON.parse(text))
  } catch {
    return false
  }
}
