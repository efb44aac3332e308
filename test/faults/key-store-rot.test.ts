import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { manualClock } from '../../engine/clock.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { openOpener } from '../../engine/privacy/opener.ts'

// Theorem: with one bit of the key store's file flipped, wherever it is, nothing opens to another text than was sealed:
// either it opens as before, or reading throws. A key whose row can't be found any more looks destroyed, and a person
// whose row can't be found, or names another id, looks like another: all of these SQLite's integrity check finds.

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const STRIDE = LONG ? 1 : 97
const PEOPLE = 12
const masterKey = Buffer.alloc(32, 3)

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-rot-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const email = (i: number): string => `p${i}@example.com`
const context = (i: number) => ({ source: 'web', id: `e${i}`, type: 'cdp.identify' })

async function filled() {
  const keyStore = openKeyStore(directory, { clock: manualClock(0), masterKey })
  const parts = Array.from({ length: PEOPLE }, (_, i) => {
    const owner = keyStore.identify({ namespace: 'email', value: email(i) })
    return { owner, part: keyStore.seal(owner, 'profile', Buffer.from(`secret ${i}`), context(i)) }
  })
  await keyStore.flush()
  await keyStore.close()
  return parts
}

type Outcome = 'right' | 'thrown' | 'astray' | 'wrong'

function read(parts: Awaited<ReturnType<typeof filled>>): Outcome {
  try {
    const reader = openOpener(directory, { masterKey })
    try {
      const outcomes = parts.map(({ owner, part }, i): Outcome => {
        const text = reader.open(part, context(i))
        const found = reader.find('email', email(i))
        if (text !== undefined && Buffer.from(text).toString() !== `secret ${i}`) return 'wrong'
        return text !== undefined && found === owner ? 'right' : 'astray'
      })
      return (['wrong', 'astray'] as const).find((worst) => outcomes.includes(worst)) ?? 'right'
    } finally {
      reader.close()
    }
  } catch {
    return 'thrown'
  }
}

function isIntact(path: string): boolean {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return Object.values(database.prepare('PRAGMA integrity_check').get() ?? {})[0] === 'ok'
  } finally {
    database.close()
  }
}

it(
  'a flipped bit anywhere in keys.sqlite',
  async () => {
    const parts = await filled()
    const path = join(directory, 'keys.sqlite')
    const whole = readFileSync(path)
    const seen = new Map<Outcome, number>()
    for (let at = 0; at < whole.length; at += STRIDE) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
      writeFileSync(path, bytes)
      const outcome = read(parts)
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      expect(outcome, `offset ${at}`).not.toBe('wrong')
      if (outcome === 'astray') expect(isIntact(path), `offset ${at}`).toBe(false)
    }
    // Bits that matter are among them.
    expect(seen.get('thrown')).toBeGreaterThan(10)
  },
  LONG ? 600_000 : 30_000,
)
