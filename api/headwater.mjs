#!/usr/bin/env node
// Starts the command line on a Node that can run it. Plain JavaScript on purpose: whatever Node finds this file must
// be able to say what is missing.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NEEDED = 26
const major = Number(process.versions.node.split('.')[0])

if (major < NEEDED) {
  console.error(
    [
      `Headwater runs on Node ${NEEDED} or newer; this is ${process.version}.`,
      `The right Node comes with the project as the npm package "node", whose install script fetches it.`,
      `If install scripts are off (ignore-scripts), allow that one and install again:`,
      ``,
      `    npm rebuild node --ignore-scripts=false`,
      ``,
      `then use "npm start", "npm test" or "npx headwater", which find it first on their PATH.`,
    ].join('\n'),
  )
  process.exit(1)
}

/**
 * How glibc's malloc is to hand memory back; it reads this when a process begins, and nowhere else. Left to itself it learns
 * from the first large buffers to keep blocks of up to 32 MiB in each thread's arena, from where hardly any come back: a busy
 * engine held 200 MB so. With these, pieces of 64 KiB and more (pages of indexes, buffers) return as soon as they are let
 * go of. Settings of malloc that are there already are left alone; other C libraries take no notice.
 */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '4194304' }

/** Begins this process once more, under the same id, where it isn't as it should be for an engine. */
function settleMemory() {
  if (process.platform !== 'linux' || typeof process.execve !== 'function') return
  if (Object.keys(process.env).some((name) => name.startsWith('MALLOC_') || name === 'GLIBC_TUNABLES')) return
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  try {
    process.execve(process.execPath, again, { ...process.env, ...MALLOC })
  } catch {
    // Only memory is at stake.
  }
}

if (process.argv[2] === 'start') settleMemory()
if (process.argv[2] !== '--check-node') {
  // The package holds compiled files (Node doesn't strip types under node_modules); a checkout runs the sources.
  const compiled = new URL('../dist/api/cli.js', import.meta.url)
  const source = new URL('./cli.ts', import.meta.url)
  const { main } = await import((existsSync(fileURLToPath(source)) ? source : compiled).href)
  process.exitCode = await main(process.argv.slice(2))
}
