import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../engine/clock.ts'
import { shown } from '../log/findings.ts'
import { type EngineProcess, startEngineProcess } from '../main/engine-process.ts'
import { median } from '../main/findings.ts'
import { createRandom } from '../simulator/random.ts'
import type { ProjectFindings } from './figures.ts'
import type { ProjectLab } from './lab.ts'

const POLL_MS = 200

/** A running engine on the large log: profiles as of a past instant, and two people taken apart, over HTTP. */
export async function measureAsking(lab: ProjectLab, findings: ProjectFindings): Promise<void> {
  await lab.data()
  const engine = await startEngineProcess(lab.home)
  try {
    await caughtUp(engine, lab)
    await measureAsOf(engine, lab, findings)
    await measureUnmerge(engine, lab, findings)
  } finally {
    await engine.stop()
  }
}

/** So that nothing else uses the cores. */
async function caughtUp(engine: EngineProcess, lab: ProjectLab): Promise<void> {
  for (;;) {
    lab.signal.throwIfAborted()
    const answer = await fetch(urlOf(engine, '/readyz'))
    if (answer.ok) return
    await sleep(POLL_MS)
  }
}

/** One profile each, as of an instant somewhere in the log's time. */
async function measureAsOf(engine: EngineProcess, lab: ProjectLab, findings: ProjectFindings): Promise<void> {
  const { log, asOf } = lab.plan
  const random = createRandom('as of')
  const times: number[] = []
  let found = 0
  for (let n = 0; n < asOf.people; n++) {
    const person = random.integer(0, log.people - 1)
    const position = random.integer(Math.floor(log.events / 10), log.events)
    const startMs = systemClock.monotonicMs()
    const { status } = await get(engine, `/v1/profiles/user:u${person}?asOf=${position}`)
    times.push(systemClock.monotonicMs() - startMs)
    if (status === 200) found += 1
  }
  times.sort((a, b) => a - b)
  const p99 = times[Math.floor(times.length * 0.99)]
  if (p99 === undefined || found === 0) return
  findings.measured.set('asOf', { value: p99, insteadUnit: `ms, of ${shown(log.events)} events` })
  findings.notes.push(
    `As of: ${shown(times.length)} profiles, one request at a time, median ${shown(median(times) ?? 0)} ms; ${shown(found)} were known at their instant.`,
  )
}

/** Two people whom a steward has linked by mistake; counted from the cut's acknowledgement until the answer shows them apart. */
async function measureUnmerge(
  engine: EngineProcess,
  lab: ProjectLab,
  findings: ProjectFindings,
): Promise<void> {
  const times: number[] = []
  const { pairs } = lab.plan.unmerge
  for (let n = 0; n < pairs; n++) {
    const [a, b] = [`user:u${n}`, `email:unmerge-${n}@example.com`]
    await append(engine, {
      id: `known-${n}`,
      type: 'cdp.identify',
      identities: [b],
      data: { traits: { name: 'X' } },
    })
    const linked = await append(engine, decision(`link-${n}`, 'identity.linked', [a, b]))
    const before = await profileOf(engine, a, linked)
    const cut = await append(engine, decision(`cut-${n}`, 'identity.cut', [a, b]))
    const startMs = systemClock.monotonicMs()
    const after = await profileOf(engine, b, cut)
    times.push(systemClock.monotonicMs() - startMs)
    const still = await profileOf(engine, a, cut)
    if (before === undefined || after === still) throw new Error('a cut took nobody apart')
  }
  const typical = median(times)
  if (typical === undefined) return
  findings.measured.set('unmerge', { value: typical })
  findings.notes.push(
    `Un-merge: ${shown(pairs)} pairs, from ${shown(Math.min(...times))} to ${shown(Math.max(...times))} ms.`,
  )
}

function decision(id: string, type: string, identities: readonly string[]) {
  return { id, type, identities, data: { steward: 'bench', reason: 'measured' } }
}

/** Answers the position. */
async function append(engine: EngineProcess, event: object): Promise<number> {
  const answer = await fetch(urlOf(engine, '/v1/events'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${engine.readToken}`,
      'headwater-write-key': engine.writeKey,
    },
    body: JSON.stringify({ source: 'bench', ...event }),
  })
  const { results } = (await answer.json()) as {
    readonly results?: readonly { readonly position?: number }[]
  }
  const position = results?.[0]?.position
  if (position === undefined) throw new Error(`an event was answered ${answer.status}`)
  return position
}

async function profileOf(
  engine: EngineProcess,
  identity: string,
  after: number,
): Promise<string | undefined> {
  const { body } = await get(engine, `/v1/profiles/${identity}?after=${after}`)
  return (body as { readonly data?: { readonly id?: string } }).data?.id
}

async function get(engine: EngineProcess, path: string) {
  const answer = await fetch(urlOf(engine, path), {
    headers: { authorization: `Bearer ${engine.readToken}` },
  })
  return { status: answer.status, body: (await answer.json()) as unknown }
}

function urlOf({ httpPort }: EngineProcess, path: string): string {
  return `http://127.0.0.1:${httpPort}${path}`
}
