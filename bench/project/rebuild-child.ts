import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import { answer } from './child.ts'
import { openHistory, projectorOf, stopwatch } from './history.ts'

/** Folds a log from its beginning into a new store, with the projector that the engine runs. */
const [directory = '', name = '', storePath = ''] = process.argv.slice(2)
const { log, open, close } = await openHistory(directory)
const store = openSqliteWriter(storePath)
const head = log.head().position
const stopping = new AbortController()
const measured = stopwatch()
await projectorOf(name, {
  log,
  store,
  open,
  onCommit: ({ position }) => {
    if (position >= head) stopping.abort()
  },
}).run(stopping.signal)
answer('rebuild-child.ts', measured(head))
store.close()
await close()
