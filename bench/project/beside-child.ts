import * as E from 'fp-ts/lib/Either.js'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import { answer } from './child.ts'
import { openHistory, projectorOf, stopwatch } from './history.ts'

/** Makes one projection's build anew beside the one that serves, as `headwater rebuild` does: who belongs together is known. */
const [directory = '', name = '', storePath = ''] = process.argv.slice(2)
const { log, open, close } = await openHistory(directory)
const store = openSqliteWriter(storePath)
const stopping = new AbortController()
const projector = projectorOf(name, { log, store, open, onCommit: () => undefined })
const rebuilt = Promise.withResolvers<void>()
projector.order({
  kind: 'rebuild',
  projections: [name],
  onProgress: () => undefined,
  done: (outcome) => {
    if (E.isLeft(outcome)) rebuilt.reject(new Error(outcome.left._tag))
    else if (outcome.right.some(({ before, after }) => before !== after))
      rebuilt.reject(new Error('the builds differ'))
    else rebuilt.resolve()
  },
})
const measured = stopwatch()
const running = projector.run(stopping.signal)
await Promise.race([rebuilt.promise, running])
answer('beside-child.ts', measured(log.head().position))
stopping.abort()
await running
store.close()
await close()
