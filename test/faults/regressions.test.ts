import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { run, type Script } from './script.ts'

// Theorem: the shortest scripts that once showed a log to lose, invent or refuse something, because of a bug in it or one
// that was planted there, show nothing any more.

const FOLDER = join(import.meta.dirname, '..', 'regressions')
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))

it('there are some', () => expect(files.length).toBeGreaterThan(0))

it.each(files)('%s', async (file) => {
  const script: Script = JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))
  await run(script)
})
