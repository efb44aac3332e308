import { setTimeout as sleep } from 'node:timers/promises'
import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  CommandFailed,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
  wholeNumber,
} from './command.ts'
import { ask, type Connection, decodeAnswer, findConnection, refusalText } from './connection.ts'

export const tail: Command = {
  help: `Usage: headwater tail [options]

Prints events as lines of JSON, from now on, until SIGINT. It goes on when the engine is started again.

${optionTable([
  ['--from <position>', 'begin with the events there instead of now; 1 is the first'],
  ['--type <type>', 'only this type; may be repeated'],
  ['--limit <n>', 'stop after so many'],
  ['--once', 'stop at the end of the log; begins with the first event unless --from is given'],
])}

${CONNECTION_HELP}

Exit codes: 0 done or stopped · 1 the engine doesn't answer, or refuses · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      from: { type: 'string' },
      type: { type: 'string', multiple: true },
      limit: { type: 'string' },
      once: { type: 'boolean' },
    })
    if (positionals.length > 0) throw new UsageError('tail takes options only')
    const connection = await findConnection(terminal)
    const once = values.once ?? false
    const from = wholeNumber('from', values.from, 1) ?? (once ? 1 : undefined)
    const limit = wholeNumber('limit', values.limit, 1) ?? Number.POSITIVE_INFINITY
    const follow: Follow = { connection, terminal, types: values.type ?? [], once }
    await terminal.interruptible(async (signal) => {
      try {
        const after = from === undefined ? await headOf(follow, signal) : from - 1
        await print(follow, after, limit, signal)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    })
    return 0
  },
}

interface Follow {
  readonly connection: Connection
  readonly terminal: Terminal
  readonly types: readonly string[]
  readonly once: boolean
}

/** `data`: events after the position asked for; `next`: the position to go on after. */
const page = t.type({ position: t.number, data: t.array(t.UnknownRecord), next: t.number })
type Page = t.TypeOf<typeof page>

const PAGE_EVENTS = 100
const WAIT_MS = 5_000
const RECONNECT_MS = 1_000

async function headOf(follow: Follow, signal: AbortSignal): Promise<number> {
  return (await fetchPage(follow, 0, 1, 0, signal)).position
}

async function print(follow: Follow, from: number, limit: number, signal: AbortSignal): Promise<void> {
  const { terminal, once } = follow
  let after = from
  let printed = 0
  let connected = true
  while (printed < limit && !signal.aborted) {
    try {
      const count = Math.min(PAGE_EVENTS, limit - printed)
      const answer = await fetchPage(follow, after, count, once ? 0 : WAIT_MS, signal)
      if (!connected) terminal.err('connected again')
      connected = true
      for (const event of answer.data) terminal.out(JSON.stringify(event))
      printed += answer.data.length
      if (once && answer.data.length === 0) return
      after = answer.next
    } catch (error) {
      if (once || !(error instanceof CommandFailed) || error instanceof Refused) throw error
      if (connected) terminal.err(`${error.message}; trying again`)
      connected = false
      await sleep(RECONNECT_MS, undefined, { signal })
    }
  }
}

/** The engine is there and says no: trying again would get the same answer. */
class Refused extends CommandFailed {}

async function fetchPage(
  follow: Follow,
  after: number,
  limit: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<Page> {
  const query = new URLSearchParams({ after: String(after), limit: String(limit) })
  if (follow.types.length > 0) query.set('types', follow.types.join(','))
  if (waitMs > 0) query.set('wait', String(waitMs))
  const reply = await ask(follow.connection, { path: `/v1/events?${query}`, signal })
  if (reply.status === 200) return decodeAnswer(page, reply.body)
  // An engine may allow shorter waits only; asking without one and pausing here does as well.
  if (reply.status === 400 && waitMs > 0) {
    const answer = await fetchPage(follow, after, limit, 0, signal)
    if (answer.data.length === 0) await sleep(RECONNECT_MS, undefined, { signal })
    return answer
  }
  const text = refusalText(follow.connection, reply)
  throw reply.status >= 500 ? new CommandFailed(text) : new Refused(text)
}
