import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect } from 'vitest'
import { systemClock } from '../../engine/clock.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { type Installed, masterKeyText, openInstallation, type Ran, run, temporary } from './support.ts'

/** An installation of its own for each test of the file that imports this, and its backup in `backup/log` and `backup/keys`. */

const root = temporary()
afterAll(() => root.remove())

let number = 0
export let place: (...names: string[]) => string
export let data = ''
let installed: Installed | undefined

beforeEach(async () => {
  number += 1
  place = (...names) => root.path(String(number), ...names)
  data = place('data')
  mkdirSync(data, { recursive: true })
  installed = await openInstallation(data)
})

afterEach(async () => {
  await installed?.close()
  installed = undefined
})

export const world = (): Installed => {
  if (installed === undefined) throw new Error('it is closed')
  return installed
}

export async function close(): Promise<void> {
  await installed?.close()
  installed = undefined
}

export const env = (): Record<string, string> => ({
  HEADWATER_DATA: data,
  HEADWATER_MASTER_KEY: masterKeyText(data),
})

export async function backup(...args: string[]): Promise<Record<string, Record<string, unknown>>> {
  const ran = await run(['backup', place('backup'), '--json', ...args], env())
  expect(ran).toMatchObject({ code: 0, err: '' })
  return JSON.parse(ran.out)
}

export function restore(to: string, ...args: string[]): Promise<Ran> {
  return run(
    ['restore', '--log', place('backup/log'), '--keys', place('backup/keys'), '--to', place(to), ...args],
    env(),
  )
}

/** Segments of the backup: name → when its file was made. */
export function storedSegments(): ReadonlyMap<string, bigint> {
  const directory = place('backup/log/segments')
  return new Map(
    readdirSync(directory).map((name) => [name, statSync(join(directory, name), { bigint: true }).ino]),
  )
}

/** Everything that a person's address and user id stand for in the log. */
export function idsOf(user: string): readonly string[] {
  const { keyStore } = world()
  const ids = [keyStore.find('user', user), keyStore.find('email', `${user}@mail.example`)]
  return ids.map((id) => id ?? expect.fail(`nobody is ${user}`))
}

/** Whether a restored key store still knows an address, and whether it may be collected again. */
export async function knows(
  directory: string,
  email: string,
): Promise<{ known: boolean; suppressed: boolean }> {
  const store = openKeyStore(join(directory, 'keys'), {
    clock: systemClock,
    create: false,
    masterKey: Buffer.from(masterKeyText(data), 'base64'),
  })
  const known = store.find('email', email) !== undefined
  const suppressed = store.suppressed({ namespace: 'email', value: email })
  await store.close()
  return { known, suppressed }
}

/** Opens the installation again, after `close`. */
export async function reopen(compression: 'zstd' | 'off' = 'off'): Promise<void> {
  installed = await openInstallation(data, compression)
}
