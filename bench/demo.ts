import { systemClock } from '../engine/clock.ts'
import { DEMO_HELP, readOptions } from './demo/options.ts'
import { DemoFailed, runDemo } from './demo/supervisor.ts'

/** `npm run demo`: a company's year, the story of one of its customers, and an engine that may be killed. */

const PARENT_CHECK_MS = 500

/** Aborts at the first signal, or when `npm` is gone, which keeps signals to itself. A second signal ends the process. */
function untilEnded(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => controller.abort())
  if (process.env['npm_lifecycle_event'] === 'demo') {
    const parent = process.ppid
    setInterval(() => {
      if (process.ppid !== parent) controller.abort()
    }, PARENT_CHECK_MS).unref()
  }
  return controller.signal
}

const options = readOptions(process.argv.slice(2))
// Whoever read the output may be gone before us; the engine and its directory are still to be taken away.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined)
if (options._tag === 'Left') {
  console.error(`demo: ${options.left}\n\n${DEMO_HELP}`)
  process.exitCode = 2
} else if (options.right === 'help') {
  console.log(DEMO_HELP)
} else {
  try {
    await runDemo(options.right, systemClock, untilEnded())
    console.log('\nThe engine is stopped, the directory removed.')
  } catch (error) {
    if (!(error instanceof DemoFailed) && !(error instanceof Error)) throw error
    console.error(`\n${error.message}`)
    process.exitCode = 1
  }
  // Everything is closed; should some connection still linger, it is nobody's.
  setTimeout(() => process.exit(), 1_000).unref()
}
