import assert from 'node:assert/strict'
import { writeSync } from 'node:fs'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import { commitOf, PERSON, rowsOf, serveAll, stateOf, THING } from './tables.ts'

/**
 * Run as a process of its own: commits position after position, each changing every row, state and member, until it
 * is killed. Writes a line for each commit that has returned.
 */

export const KEYS = Array.from({ length: 300 }, (_, i) => `k${i}`)

function loop(path: string): void {
  const writer = openSqliteWriter(path)
  if (writer.builds().length === 0) serveAll(writer)
  for (let position = writer.checkpoint().position + 1; ; position++) {
    const rows = Object.fromEntries(KEYS.map((key) => [key, { size: position, label: `label ${position}` }]))
    const states = KEYS.map((key) => stateOf(PERSON, key, [position & 255, (position >> 8) & 255], position))
    const members = new Map(KEYS.map((key) => [key, `p${position}`]))
    writer.commit(
      commitOf({ position, received: position, writes: [rowsOf(THING, rows), ...states], members }),
    )
    writeSync(1, `${position}\n`)
  }
}

const [, script, path] = process.argv
if (script?.endsWith('commit-loop.ts') === true) {
  assert(path !== undefined, 'usage: commit-loop.ts <file>')
  loop(path)
}
