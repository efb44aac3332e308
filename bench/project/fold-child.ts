import { BuildFold } from '../../engine/projector/build-fold.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import { Routes } from '../../engine/projector/routes.ts'
import { answer } from './child.ts'
import { chosenProjections, openHistory, stopwatch } from './history.ts'

/** Decodes and folds a log in memory and stores nothing: what a rebuild can't do without. */
const [directory = '', name = ''] = process.argv.slice(2)
const { log, open, close } = await openHistory(directory)
const nothing = { state: () => undefined, due: () => [] }
const config = new ConfigurationState()
const folds = chosenProjections(name).map(
  (projection) => new BuildFold(projection, projection.name, config, nothing),
)
const routes = new Routes(folds)
const measured = stopwatch()
for await (const batch of log.read()) for (const event of batch) routes.fold(event, open)
answer('fold-child.ts', measured(log.head().position))
await close()
