/**
 * Theorem: jobs run one at a time in the order asked for, tell how far they are, end as done or failed with a sentence that
 * quotes nothing unexpected, and neither those that wait nor those that are remembered grow without bound.
 */
import { expect, test } from 'vitest'
import { JobFailed, Jobs } from '../../api/versions/jobs.ts'
import { manualClock } from '../../engine/clock.ts'

function world() {
  const unexpected: unknown[] = []
  const jobs = new Jobs<number>(manualClock(1_000), (error) => unexpected.push(error))
  return { jobs, unexpected }
}

const settled = async (jobs: Jobs<number>, id: string | undefined) =>
  jobs.settled(id ?? '') ?? expect.fail('unknown')

test('one after the other, with progress', async () => {
  const { jobs } = world()
  const order: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = jobs.add('first', async (onProgress) => {
    order.push('first begins')
    onProgress({ step: 'folding', done: 1, of: 2 })
    await gate.promise
    order.push('first ends')
    return 1
  })
  const second = jobs.add('second', async () => order.push('second'))
  expect(jobs.get(first?.id ?? '')).toMatchObject({
    state: 'running',
    progress: { step: 'folding', done: 1, of: 2 },
  })
  expect(jobs.get(second?.id ?? '')).toMatchObject({ state: 'waiting' })
  gate.resolve()
  expect(await settled(jobs, first?.id)).toMatchObject({ state: 'done', result: 1, ended: 1_000 })
  expect(await settled(jobs, second?.id)).toMatchObject({ state: 'done', result: 3 })
  expect(order).toEqual(['first begins', 'first ends', 'second'])
  expect(jobs.list().map(({ what }) => what)).toEqual(['second', 'first'])
})

test('a failure is told as it is only where it was expected', async () => {
  const { jobs, unexpected } = world()
  const expected = jobs.add('a', async () => {
    throw new JobFailed('The disk is full.')
  })
  const other = jobs.add('b', async () => {
    throw new Error('about mara@example.com')
  })
  expect(await settled(jobs, expected?.id)).toMatchObject({ state: 'failed', failure: 'The disk is full.' })
  const failed = await settled(jobs, other?.id)
  expect(failed.state).toBe('failed')
  expect(failed.failure).not.toContain('mara')
  expect(unexpected).toHaveLength(1)
})

test('bounded, and over when closed', async () => {
  const { jobs } = world()
  const gate = Promise.withResolvers<void>()
  const running = jobs.add('running', async () => {
    await gate.promise
    return 0
  })
  const waiting = Array.from({ length: 20 }, (_, n) => jobs.add(`${n}`, async () => n))
  expect(waiting.filter((job) => job === undefined)).toHaveLength(4)
  jobs.close()
  expect(await settled(jobs, waiting[0]?.id)).toMatchObject({ state: 'failed' })
  expect(jobs.add('late', async () => 1)).toBeUndefined()
  gate.resolve()
  expect(await settled(jobs, running?.id)).toMatchObject({ state: 'done' })
  const { jobs: many } = world()
  for (let n = 0; n < 100; n++) await settled(many, many.add(`${n}`, async () => n)?.id)
  expect(many.list()).toHaveLength(32)
  expect(many.list()[0]).toMatchObject({ what: '99' })
})
