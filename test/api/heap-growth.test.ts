import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { HEAP_GROWTH_FLAG } from '../../api/heap-growth.ts'

// Theorem: the V8 of this Node knows the flag that bounds how heaps grow. One that it doesn't know has no effect, and nothing
// else would tell.

test('V8 knows the flag', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
  const [name = '', percent] = HEAP_GROWTH_FLAG.split('=')
  expect(known).toMatch(new RegExp(`^ *${name} .*\\n +type: int`, 'm'))
  expect(Number(percent)).toBeGreaterThan(0)
})
