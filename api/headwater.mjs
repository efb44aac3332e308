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

if (process.argv[2] !== '--check-node') {
  // The package holds compiled files (Node doesn't strip types under node_modules); a checkout runs the sources.
  const compiled = new URL('../dist/api/cli.js', import.meta.url)
  const source = new URL('./cli.ts', import.meta.url)
  const { main } = await import((existsSync(fileURLToPath(source)) ? source : compiled).href)
  process.exitCode = await main(process.argv.slice(2))
}
