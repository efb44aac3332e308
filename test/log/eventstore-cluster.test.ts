/**
 * Theorem: a log in a cluster of EventStoreDB has every acknowledged event once, in order, whoever leads: leaders that change, die,
 * send us to another, answer too late or not at all, and subscriptions that are dropped midway cost nothing but time. Shown over two
 * servers of the same protocol with the same events behind them.
 */
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../engine/clock.ts'
import { openEventStore } from '../../engine/log/eventstore.ts'
import type { Log } from '../../engine/log/log.ts'
import { until } from '../esdb/client.ts'
import { Cluster } from '../esdb/cluster.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { anEvent, appends, collect } from './events.ts'
import { type TemporaryDirectory, temporaryDirectory } from './support.ts'

let directory: TemporaryDirectory
let cluster: Cluster
let log: Log | undefined

beforeEach(async () => {
  directory = temporaryDirectory()
  cluster = await new Cluster(memoryBackend()).open()
})

afterEach(async () => {
  await log?.close()
  log = undefined
  cluster.close()
  directory.remove()
})

const DISCOVERY = 'tls=false&discoveryInterval=20&maxDiscoverAttempts=100'
/** Whom to ask who leads: one node, as a name of the cluster would have it, or a list of them. */
const WAYS = {
  discover: () => `esdb+discover://127.0.0.1:${cluster.nodes[1].port}?${DISCOVERY}`,
  list: () => `esdb://${cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}?${DISCOVERY}`,
}

async function open(connectionString: string): Promise<Log> {
  const indexPath = join(directory.path, 'log-index.sqlite')
  const opened = await openEventStore(connectionString, { indexPath, clock: systemClock, patienceMs: 20_000 })
  if (E.isLeft(opened)) throw new Error(JSON.stringify(opened.left))
  log = opened.right
  return log
}

/** Positions that a subscriber of the log hears of. */
function heardBy(from: Log): number[] {
  const heard: number[] = []
  void (async () => {
    for await (const batch of from.subscribe({ signal: new AbortController().signal }))
      for (const { position } of batch) heard.push(position)
  })()
  return heard
}

/** Appends to several streams at once, and what became of them. */
function write(to: Log, count = 12): Promise<readonly string[]> {
  const writing = Array.from({ length: count }, async (_, i) => {
    const events = [anEvent({ stream: `deal-${i % 5}` }), anEvent({ stream: `deal-${i % 5}` })]
    const results = await to.append(appends(...events), { atomic: i % 3 === 0 })
    expect(results.map((result) => (E.isLeft(result) ? result.left : 'appended'))).toEqual([
      'appended',
      'appended',
    ])
    return events.map(({ id }) => id)
  })
  return Promise.all(writing).then((ids) => ids.flat())
}

async function hasOnce(ids: readonly string[], heard: readonly number[]): Promise<void> {
  if (log === undefined) throw new Error('no log is open')
  const all = await collect(log.read())
  expect(all.map(({ id }) => id).sort()).toEqual([...ids].sort())
  expect(all.map(({ position }) => position)).toEqual(ids.map((_, i) => i + 1))
  await until(() => heard.length >= ids.length)
  expect(heard).toEqual(all.map(({ position }) => position))
  let stored = 0
  const read = { direction: 'forwards', from: undefined, limit: Number.MAX_SAFE_INTEGER } as const
  for await (const batch of cluster.backend.readAll(read))
    stored += batch.filter(({ stream }) => stream.startsWith('deal-')).length
  expect(stored).toBe(ids.length)
}

describe.each(Object.entries(WAYS))('found by %s', (_way, connectionString) => {
  it('goes to whoever leads, when another one does, and is sent on by one who no longer does', async () => {
    const opened = await open(connectionString())
    const heard = heardBy(opened)
    const ids: string[] = []
    for (const dropped of [true, false, true]) {
      ids.push(...(await write(opened)))
      const [old, next] = [cluster.leader, cluster.change()]
      const before = next.taken
      if (dropped) old.dropCalls()
      ids.push(...(await write(opened)))
      expect(next.taken).toBeGreaterThan(before)
    }
    await hasOnce(ids, heard)
  })
})

it('goes to the next leader when one dies with appends under way', async () => {
  const opened = await open(WAYS.list())
  const heard = heardBy(opened)
  const ids = [...(await write(opened))]
  const [old] = cluster.nodes
  expect(old.taken).toBeGreaterThan(0)
  old.treatment = 'hold'
  const writing = write(opened)
  await new Promise((resolve) => setTimeout(resolve, 50))
  old.die()
  cluster.change()
  ids.push(...(await writing), ...(await write(opened)))
  await hasOnce(ids, heard)
})

it('lives where the old leader ends its appends after the new one has been sent others', async () => {
  const opened = await open(WAYS.list())
  const heard = heardBy(opened)
  const ids = [...(await write(opened))]
  const old = cluster.leader
  old.treatment = 'hold'
  const held = write(opened, 3)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const next = cluster.change()
  next.treatment = 'hold'
  // Its subscription, not its appends: what is appended next goes elsewhere.
  old.dropReads()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const later = write(opened, 8)
  await new Promise((resolve) => setTimeout(resolve, 200))
  old.dropCalls()
  await new Promise((resolve) => setTimeout(resolve, 50))
  next.goOn()
  ids.push(...(await held), ...(await later))
  await hasOnce(ids, heard)
})

it.each([['lose_answer'], ['time_out']] as const)('sends again what is met with %s', async (treatment) => {
  const [node] = cluster.nodes
  const opened = await open(WAYS.list())
  const heard = heardBy(opened)
  const ids = [...(await write(opened))]
  node.treatment = treatment
  node.dropCalls()
  const writing = write(opened)
  await new Promise((resolve) => setTimeout(resolve, 150))
  node.goOn()
  node.dropCalls()
  ids.push(...(await writing))
  await hasOnce(ids, heard)
})

it('says that it can’t be reached where no node leads', async () => {
  cluster.close()
  const indexPath = join(directory.path, 'log-index.sqlite')
  const few = `esdb+discover://127.0.0.1:${cluster.nodes[0].port}?tls=false&discoveryInterval=10&maxDiscoverAttempts=3`
  const opened = await openEventStore(few, { indexPath, clock: systemClock })
  expect(opened).toMatchObject({ left: { _tag: 'Unreachable', cause: expect.stringContaining('discover') } })
})
