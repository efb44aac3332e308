/**
 * Theorem: an engine that is killed while it pulls has, after the next start, every row once; and one whose pulls are
 * wrong doesn't start.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { mappingDocument, temporaryFiles } from '../import/support.ts'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { until } from './support.ts'

const ROWS = 20_000
const files = temporaryFiles()
const engines: EngineProcess[] = []
afterAll(async () => {
  for (const engine of engines) await engine.kill('SIGKILL')
  files.remove()
})

const WITHOUT_NATS = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => !/sbin|local/.test(entry))

async function engineWith(pulls: unknown): Promise<EngineProcess> {
  const file = files.write('pulls.json', JSON.stringify(pulls))
  const env = { PATH: WITHOUT_NATS.join(delimiter), HEADWATER_PULL: file }
  const engine = new EngineProcess(await freePort(), files.path('data'), env)
  engines.push(engine)
  return engine
}

interface Page {
  readonly position: number
  readonly data: readonly { readonly events: number }[]
}

test('killed midway', async () => {
  mkdirSync(files.path('drop'))
  const document = mappingDocument({ events: undefined })
  const event = { type: 'sample.seen', id: { template: '{a}' }, data: { b: { $column: 'b' } } }
  files.write('mapping.json', JSON.stringify({ ...document, events: [event] }))
  const lines = Array.from({ length: ROWS }, (_, i) => `r${i},${'x'.repeat(100)}\n`)
  writeFileSync(files.path('drop/a.csv'), `a,b\n${lines.join('')}`)
  const engine = await engineWith([{ name: 'drop', folder: 'drop', mapping: 'mapping.json', every: 1 }])
  await engine.start()
  const head = async () => (await engine.get<Page>('/v1/events?limit=1')).position
  await until(async () => (await head()) > 1_000)
  await engine.kill('SIGKILL')
  await engine.start()
  const seen = async () => {
    const { data } = await engine.get<Page>('/v1/analytics/events?type=sample.seen')
    return data.reduce((sum, { events }) => sum + events, 0)
  }
  await until(async () => (await seen()) >= ROWS)
  expect(await seen()).toBe(ROWS)
  expect(await head()).toBe(ROWS)
  await until(async () => {
    const { data } = await engine.get<{ data: { mark: { rows: number } }[] }>('/v1/pulls')
    return data[0]?.mark.rows === ROWS
  })
  await engine.kill('SIGTERM')
}, 60_000)

test('a file of pulls that is wrong ends the start, and says where', async () => {
  const engine = await engineWith([{ name: 'drop', folder: 'drop', mapping: 'mapping.json', evry: 1 }])
  await expect(engine.start()).rejects.toThrow(/HEADWATER_PULL.*\n.*\[0\]\.evry: unknown property/)
}, 30_000)
