import * as E from 'fp-ts/lib/Either.js'
import { done, openAt } from './support.ts'

/**
 * `crash-child.ts <directory> <step> [identity]`: opens the engine, which completes what was cut off, asks for an erasure
 * where an identity is named, and dies by SIGKILL as soon as an erasure has done `step`.
 */
const [directory = '', step = '', identity] = process.argv.slice(2)

const { engine } = await openAt(directory, {
  onErasureStep: (reached) => {
    if (reached === step) process.kill(process.pid, 'SIGKILL')
  },
})
if (identity !== undefined) {
  const asked = await engine.erasures.request({ identity, waitMs: 0 })
  if (E.isRight(asked)) await done(engine, asked.right.number)
}
// The step never came.
process.exit(3)
