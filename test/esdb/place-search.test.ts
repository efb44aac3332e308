/**
 * Theorem: a revision's position is found in a stream of any length by a number of questions that grows with the logarithm of the
 * log, however unevenly the stream lies in it.
 */
import { expect, test } from 'vitest'
import { positionOf } from '../../api/esdb/place-search.ts'
import type { NewEvent } from '../../engine/events/event.ts'
import type { Log } from '../../engine/log/log.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'

const event = (stream: string, id: number): NewEvent => ({
  ...{ stream, id: String(id), source: 'crm', type: 'note.taken', schema: 1, time: 0, received: 0 },
  ...{ identities: [], data: {}, normalised: {}, normaliser: 1, sealed: [] },
})

const LENGTH = 6_000

test.each<[string, (position: number) => boolean]>([
  ['evenly', (position) => position % 3 === 0],
  ['in two clusters', (position) => position < 100 || position > LENGTH - 2_000],
  ['ever more seldom', (position) => Number.isInteger(Math.sqrt(position)) || position < 64],
  ['alone', () => true],
])('a stream that lies %s', async (_how, isOwn) => {
  const log = createMemoryLog()
  const own: number[] = []
  const events = Array.from({ length: LENGTH }, (_, index) => {
    const position = index + 1
    if (isOwn(position)) own.push(position)
    return { event: event(isOwn(position) ? 'thing-1' : `other-${position % 5}`, position) }
  })
  await log.append(events)
  const head = log.streamHead('thing-1')
  if (head === undefined) throw new Error('it was written')
  let asked = 0
  const counting: Pick<Log, 'readStream'> = {
    readStream(stream, options) {
      asked += 1
      expect(options?.limit).toBeLessThanOrEqual(32)
      return log.readStream(stream, options)
    },
  }
  const step = Math.max(1, Math.floor(own.length / 15))
  for (let revision = 0; revision < own.length; revision += step) {
    asked = 0
    expect(await positionOf(counting, 'thing-1', revision, head)).toBe(own[revision])
    expect(asked).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(LENGTH)))
  }
  expect(await positionOf(counting, 'thing-1', own.length - 1, head)).toBe(own.at(-1))
  // Of what is under way the place is unknown.
  const ahead = { revision: own.length + 500, position: LENGTH + 700 }
  expect(await positionOf(counting, 'thing-1', own.length + 100, ahead)).toBeUndefined()
  await log.close()
})
