import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { anEvent, appends, collect, positions } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory } from './support.ts'

// Theorem: a reader that shares nothing with the log but its directory and head signal sees exactly the durable events,
// on any thread, and hears of new ones without polling.

let directory: TemporaryDirectory
let log: EmbeddedLog
beforeEach(async () => {
  directory = temporaryDirectory()
  log = await opened(directory.path)
})
afterEach(async () => {
  await log.close()
  directory.remove()
})

async function append(count: number): Promise<void> {
  await log.append(appends(...Array.from({ length: count }, () => anEvent({ data: { n: count } }))))
}

describe('a reader', () => {
  it('is told where the first segment is missing, and reads what is left', async () => {
    for (let i = 0; i < 40; i++) await append(13)
    const [gone = '', next = ''] = readdirSync(directory.path)
      .filter((name) => /\.hwl/.test(name))
      .sort()
    const left = Number(next.slice(0, 20))
    rmSync(join(directory.path, gone))
    const reader = openEmbeddedReader(directory.path, log.headSignal)
    const damaged = { name: 'LogDamaged', fromPosition: 1, untilPosition: left }
    await expect(collect(reader.read())).rejects.toMatchObject(damaged)
    await expect(reader.at(1)).rejects.toMatchObject(damaged)
    await expect(collect(reader.readBackwards())).rejects.toMatchObject(damaged)
    const { position } = log.head()
    expect((await positions(reader, { from: left })).length).toBe(position - left + 1)
    expect((await collect(reader.readBackwards({ limit: position - left + 1 }))).at(-1)?.position).toBe(left)
    await reader.close()
  })

  it('sees what is durable, in segments that begin while it reads', async () => {
    const reader = openEmbeddedReader(directory.path, log.headSignal)
    expect(reader.head()).toEqual({ position: 0, received: 0 })
    expect(await positions(reader)).toEqual([])
    for (let i = 1; i <= 60; i++) {
      await append(i % 13)
      expect(reader.head()).toEqual(log.head())
      if (i % 10 === 0) expect(await collect(reader.read())).toEqual(await collect(log.read()))
    }
    expect(await collect(reader.readBackwards({ limit: 50 }))).toEqual(
      await collect(log.readBackwards({ limit: 50 })),
    )
    expect((await reader.at(17))?.position).toBe(17)
    await reader.close()
    expect(() => reader.read()).toThrow(/closed/)
  })

  it('follows from another thread, and ends when told', async () => {
    await append(30)
    const worker = new Worker(new URL('./tail-thread.ts', import.meta.url), {
      workerData: { directory: directory.path, signal: log.headSignal, from: 11 },
    })
    const seen: [number, number][] = []
    let wake = (): void => {}
    worker.on('message', (message) => {
      if (Array.isArray(message)) seen.push(...message)
      wake()
    })
    await once(worker, 'message')
    for (let i = 0; i < 40; i++) await append((i % 7) + 1)
    const { position } = log.head()
    while (seen.length < position - 10) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    expect(seen.map(([at]) => at)).toEqual(Array.from({ length: position - 10 }, (_, i) => i + 11))
    const events = await collect(log.read({ from: 11 }))
    expect(seen.map(([, n]) => n)).toEqual(events.map((event) => event.data.n))
    const exited = once(worker, 'exit')
    worker.postMessage('stop')
    expect((await exited)[0]).toBe(0)
  })
})
