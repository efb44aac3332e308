import * as t from 'io-ts'
import { connectionProblem } from '../import/http-sender.ts'
import { auditFinding } from './audit.ts'
import { overdueFinding } from './erasures.ts'
import { counted, type Finding, fail, ok, warn } from './finding.ts'
import { poisonFinding, quarantineFinding } from './read-models.ts'

const ASK_WITHIN_MS = 3_000

const readiness = t.intersection([
  t.type({
    ready: t.boolean,
    reasons: t.array(t.string),
    caughtUp: t.boolean,
    writer: t.keyof({ running: null, read_only: null, stopped: null }),
    clockTrusted: t.boolean,
    head: t.number,
    projected: t.number,
  }),
  t.partial({
    audit: t.keyof({ signing: null, refused: null, stopped: null }),
    eventstore: t.type({
      address: t.string,
      state: t.keyof({ writing: null, away: null, stopped: null }),
      position: t.number,
      replica: t.number,
    }),
  }),
])

type Readiness = t.TypeOf<typeof readiness>

/** What a running engine says of itself over HTTP; undefined where no Headwater answers. */
async function askEngine(url: string): Promise<Readiness | { readonly away: string }> {
  try {
    const text = await get(`${url}/readyz`)
    const body: unknown = JSON.parse(text)
    return readiness.is(body) ? body : { away: 'what answers there is not Headwater' }
  } catch (error) {
    return {
      away: error instanceof SyntaxError ? 'what answers there is not Headwater' : connectionProblem(error),
    }
  }
}

async function get(url: string): Promise<string> {
  const signal = AbortSignal.timeout(ASK_WITHIN_MS)
  const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } })
  return await response.text()
}

/** Checks a running engine from outside: nothing of its files is opened but its lock. */
export async function checkRunning(url: string): Promise<readonly Finding[]> {
  const engine = await askEngine(url)
  if ('away' in engine) {
    const message = `one runs on this directory, but ${url} doesn't tell how it is (${engine.away})`
    return [
      fail(
        'engine',
        message,
        'set HEADWATER_URL or HEADWATER_PORT to where it listens; if it hangs, look at its log and restart it',
      ),
    ]
  }
  return [running(url, engine), ...judge(engine), ...(await fromMetrics(url, engine.audit))]
}

function running(url: string, { ready, reasons }: Readiness): Finding {
  const what = `runs at ${url}; log, keys and read models are in its hands and were not opened`
  return ready
    ? ok('engine', `${what}; ready`)
    : fail('engine', `${what}; not ready: ${reasons.join('; ')}`, 'see below')
}

function judge({
  writer,
  clockTrusted,
  head,
  projected,
  caughtUp,
  eventstore,
}: Readiness): readonly Finding[] {
  const behind = Math.max(0, head - projected)
  const lag = `read models at position ${projected} of ${head}`
  return [
    writerFinding(writer),
    ...(eventstore === undefined ? [] : [eventStoreFinding(eventstore)]),
    clockTrusted
      ? ok('clock', 'trusted')
      : fail(
          'clock',
          'the wall clock jumped: nothing is taken',
          'set it, then confirm it: POST /v1/clock/confirm',
        ),
    caughtUp && behind <= MOST_BEHIND
      ? ok('lag', lag)
      : warn('lag', lag, 'they catch up by themselves; if they stand still, look at the log of the engine'),
  ]
}

/** What arrives while we ask is no lag worth a word. */
const MOST_BEHIND = 50_000

function writerFinding(writer: Readiness['writer']): Finding {
  switch (writer) {
    case 'running':
      return ok('writer', 'takes events')
    case 'read_only':
      return fail(
        'writer',
        'the disk is full, or the EventStoreDB that has the log is away: events are refused, queries answered',
        'make room, or start it; the engine goes on by itself',
      )
    case 'stopped':
      return fail(
        'writer',
        'a write failed: nothing is taken any more',
        'check the disk, then restart the engine: it checks the tail of the log',
      )
  }
}

/** As the engine knows it, whose HEADWATER_LOG need not stand in our environment too. */
function eventStoreFinding({
  address,
  state,
  position,
  replica,
}: NonNullable<Readiness['eventstore']>): Finding {
  const places = `position ${position} there, ${replica} in log/`
  switch (state) {
    case 'writing':
      return ok('eventstore', `the engine's log is in ${address}: ${places}`)
    case 'away':
      return fail(
        'eventstore',
        `the engine can't write to ${address}: ${places}`,
        'start it, or make room for log/; the engine goes on by itself',
      )
    case 'stopped':
      return fail(
        'eventstore',
        `the engine writes to ${address} no more: ${places}`,
        "the engine's own log says why (another engine has opened it, say): see to that, then restart the engine",
      )
  }
}

/** The metrics are open to whoever reaches the port, so no token is needed. */
async function fromMetrics(url: string, audit: Readiness['audit']): Promise<readonly Finding[]> {
  const text = await get(`${url}/metrics`).catch(() => '')
  const read = (series: string): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')[1] ?? 0,
    )
  const poison = read('headwater_projector_poison_events')
  const stopped = text.includes('\nheadwater_projector_running 0\n')
  const logged = read('headwater_logged_lines_total{level="error"}')
  const size = read('headwater_audit_tree_head_size')
  const ageS = read('headwater_audit_tree_head_age_seconds')
  const overdue = read('headwater_erasures_overdue')
  return [
    quarantineFinding(read('headwater_quarantine_events{status="open"}')),
    ...(poison > 0 ? [poisonFinding(poison)] : []),
    ...(stopped
      ? [fail('projector', 'it has stopped: views stand still', 'the log of the engine says why; restart it')]
      : []),
    ...(overdue > 0 ? [overdueFinding(overdue)] : []),
    ...(audit === undefined ? [] : [auditFinding(audit, { size, ageS })]),
    ...(logged > 0
      ? [warn('errors', `${counted(logged, 'error')} logged since it started`, 'look at its log')]
      : []),
  ]
}
