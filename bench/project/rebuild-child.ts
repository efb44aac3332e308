import { systemClock } from '../../engine/clock.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import { answer } from './child.ts'
import { chosenProjections, openHistory, stopwatch } from './history.ts'

/** Folds a log from its beginning into a new store, with the projector that the engine runs. */
const [directory = '', name = '', storePath = ''] = process.argv.slice(2)
const { log, open, close } = await openHistory(directory)
const store = openSqliteWriter(storePath)
const head = log.head().position
const stopping = new AbortController()
const measured = stopwatch()
await createProjector({
  log,
  store,
  projections: chosenProjections(name),
  rules: DEFAULT_RULES,
  clock: systemClock,
  open,
  onCommit: ({ position }) => {
    if (position >= head) stopping.abort()
  },
  onBuild: () => undefined,
}).run(stopping.signal)
answer('rebuild-child.ts', measured(head))
store.close()
await close()
