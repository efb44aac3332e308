import * as t from 'io-ts'
import { CONNECTION_HELP, type Command, readArguments, type Terminal, UsageError } from './command.ts'
import { ask, askOk, decodeAnswer, findConnection } from './connection.ts'

export const stats: Command = {
  help: `Usage: headwater stats [--json]

Prints whether the engine is ready, where the log stands, and how far every read model has got.

${CONNECTION_HELP}

Exit codes: 0 ready · 1 not ready, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } })
    if (positionals.length > 0) throw new UsageError('stats takes options only')
    const connection = await findConnection(terminal)
    const [ready, projections] = await Promise.all([
      ask(connection, { path: '/readyz' }),
      askOk(connection, { path: '/v1/projections' }),
    ])
    const engine = decodeAnswer(readiness, ready.body)
    if (values.json) terminal.out(JSON.stringify({ engine: ready.body, projections }))
    else print(terminal, connection.url, engine, decodeAnswer(projectionList, projections))
    return engine.ready ? 0 : 1
  },
}

const readiness = t.type({
  ready: t.boolean,
  reasons: t.array(t.string),
  head: t.number,
  projected: t.number,
  writer: t.string,
})

const build = t.type({ build: t.string, position: t.number, serving: t.boolean })
const projectionList = t.intersection([
  t.type({
    position: t.number,
    data: t.array(t.type({ name: t.string, version: t.number, builds: t.array(build) })),
  }),
  t.partial({ asOf: t.union([t.string, t.null]), poison: t.UnknownArray }),
])

function print(
  terminal: Terminal,
  url: string,
  engine: t.TypeOf<typeof readiness>,
  list: t.TypeOf<typeof projectionList>,
): void {
  const { style } = terminal
  const state = engine.ready ? 'ready' : style.warn(`not ready: ${engine.reasons.join('; ')}`)
  terminal.out(`${style.bold(url)}  ${state}`)
  terminal.out(`log        position ${engine.head}, writer ${engine.writer}`)
  terminal.out(
    `views      position ${engine.projected}, ${lag(engine.head, engine.projected)}${since(list.asOf)}`,
  )
  const poisoned = list.poison?.length ?? 0
  if (poisoned > 0) terminal.out(style.warn(`set aside  ${poisoned} events that a view could not fold`))
  terminal.out('')
  const width = Math.max(4, ...list.data.map(({ name }) => name.length))
  terminal.out(style.bold(`${'view'.padEnd(width)}  version  position`))
  for (const { name, version, builds } of list.data) {
    const serving = builds.find((each) => each.serving)
    const others = builds.filter((each) => !each.serving).map((each) => `building at ${each.position}`)
    const position =
      serving === undefined ? 'none' : `${serving.position}, ${lag(engine.head, serving.position)}`
    terminal.out([name.padEnd(width), String(version).padEnd(7), [position, ...others].join('; ')].join('  '))
  }
}

function since(asOf: string | null | undefined): string {
  return asOf === null || asOf === undefined ? '' : `, as of ${asOf}`
}

/** Positions may have gaps: behind or not is all that they tell. */
function lag(head: number, position: number): string {
  return position >= head ? 'up to date' : 'behind the log'
}
