/**
 * Theorem: an engine on its own threads and files shows a defined field once its build serves, and again when it is started anew; the
 * whole read models of the past that it builds have the columns of then.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Engine } from '../../api/engine.ts'
import { caughtUp, openAt, send, temporaryDirectory } from '../erasure/support.ts'
import { LEADS } from './defining.ts'

const SHOE_SIZE = { field_id: 'lead.shoe_size', object: 'lead', field: 'shoe_size', type: 'integer' }
const filters = [{ column: 'shoe_size', operator: 'eq', value: 42 }] as const

function columnsOf({ serving }: Engine): readonly string[] {
  return Object.keys(serving.projections.get('lead')?.table.columns ?? {})
}

test('a field is served by files, after a restart, and in the past as it was', async () => {
  const directory = temporaryDirectory()
  let { engine } = await openAt(directory.path)
  await send(engine, ...LEADS)
  await caughtUp(engine)
  const before = { by: 'received', ...engine.log.head() } as const
  expect(columnsOf(engine)).not.toContain('shoe_size')
  await send(engine, { id: 'f1', source: 'steward', type: 'field.defined', data: SHOE_SIZE })
  await caughtUp(engine)
  while (!columnsOf(engine).includes('shoe_size')) await sleep(5)
  const served = await engine.store.list({ projection: 'lead', filters, limit: 9 })
  expect(served.value.rows.map(({ row }) => row.lead_id)).toEqual(['L1'])
  const made = await engine.serving.of('lead', served.build)
  expect(made?.config.all('field.defined')).toHaveLength(1)
  const then = async (moment: Parameters<Engine['past']['use']>[0]['moment']) =>
    engine.past.use({ moment, projections: ['lead'], waitMs: 60_000 }, async ({ reader }) =>
      reader.list({ projection: 'lead', sort: [{ column: 'lead_id', descending: false }], limit: 1 }),
    )
  const rowOf = (outcome: Awaited<ReturnType<typeof then>>) =>
    outcome._tag === 'Answered' ? outcome.value.value.rows[0]?.row : outcome
  expect(rowOf(await then(before))).not.toHaveProperty('shoe_size')
  expect(rowOf(await then({ by: 'received', ...engine.log.head() }))).toMatchObject({ shoe_size: 42 })
  await engine.stop()
  engine = (await openAt(directory.path)).engine
  expect(columnsOf(engine)).toContain('shoe_size')
  await engine.stop()
  directory.remove()
}, 60_000)
