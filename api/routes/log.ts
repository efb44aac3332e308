import type { FastifyInstance } from 'fastify'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Log, ReadOptions } from '../../engine/log/log.ts'
import type { ApiDeps } from '../deps.ts'
import { logSchema } from '../openapi.ts'
import { standing } from './answer.ts'
import { showEvent } from './events.ts'
import { decodeQuery, parsed, position, queryPairs, wholeNumber } from './query.ts'

const DEFAULT_LIMIT = 100
const MAX_TYPES = 50

const isTypes = (value: unknown): value is ReadonlySet<string> => value instanceof Set

const typesCodec = parsed(`1 to ${MAX_TYPES} event types, separated by commas`, isTypes, (text) => {
  const types = new Set(text.split(',').filter((type) => type !== ''))
  return types.size > 0 && types.size <= MAX_TYPES ? types : undefined
})

/** `GET /v1/events`: the log as it is, for auditors and for programs that follow it. */
export function registerLog(app: FastifyInstance, deps: ApiDeps): void {
  const { pageLimit, afterWaitMs } = deps.configuration
  const fallback = Math.min(DEFAULT_LIMIT, pageLimit)
  const codecs = {
    after: position,
    limit: wholeNumber(1, pageLimit),
    types: typesCodec,
    wait: wholeNumber(0, afterWaitMs),
  }
  const closing = new AbortController()
  app.addHook('preClose', async () => closing.abort())
  const schema = logSchema({ maximum: pageLimit, fallback }, afterWaitMs)
  app.get('/v1/events', { config: { access: 'read' }, schema }, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), codecs)
    const after = query.after ?? 0
    const options = { from: after + 1, limit: query.limit ?? fallback, types: query.types }
    const head = deps.log.head()
    let events = await readSome(deps.log, options)
    let at = head
    if (events.length === 0 && (query.wait ?? 0) > 0) {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(query.wait ?? 0)])
      const from = Math.max(after, head.position) + 1
      events = await awaitSome(deps.log, { ...options, from }, signal)
      at = deps.log.head()
    }
    // With nothing more to give, a follower goes on behind all that was looked at.
    const last = events.at(-1)?.position
    const next = last ?? Math.max(after, head.position)
    return { ...standing(reply, at), data: events.map((event) => showEvent(deps.openEvent(event))), next }
  })
}

async function readSome(
  log: Log,
  options: ReadOptions & { readonly limit: number },
): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const batch of log.read(options)) {
    events.push(...batch)
    if (events.length >= options.limit) break
  }
  return events.slice(0, options.limit)
}

/** The first events that come, or none once `signal` aborts. */
async function awaitSome(
  log: Log,
  options: ReadOptions & { readonly limit: number },
  signal: AbortSignal,
): Promise<readonly RecordedEvent[]> {
  for await (const batch of log.subscribe({ from: options.from, types: options.types, signal })) {
    return batch.slice(0, options.limit)
  }
  return []
}
