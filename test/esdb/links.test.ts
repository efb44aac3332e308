/** Theorem: of a link's text the number stands before the first `@`, and whatever follows is the stream. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { EsdbRecord } from '../../api/esdb/backend.ts'
import { resolved } from '../../api/esdb/links.ts'
import { Streams } from '../../api/esdb/streams.ts'
import { memoryBackend } from './memory-backend.ts'

const STREAM = 'a@b\n@é'
const proposed = { id: randomUUID(), type: 'thing.done', isJson: true, data: Buffer.from('{}') }

test.each([
  [`0@${STREAM}`, true],
  [` +0 @${STREAM}`, true],
  [`-1@${STREAM}`, true],
  [`1@${STREAM}`, false],
  [`0@ ${STREAM}`, false],
])('%j', async (text, leads) => {
  const streams = new Streams(memoryBackend(), () => 0)
  await streams.append(STREAM, { kind: 'any' }, [{ ...proposed, metadata: new Uint8Array() }])
  const link: EsdbRecord = {
    ...{ ...proposed, stream: 'index-1', revision: 0, position: 2, createdMs: 0 },
    ...{ type: '$>', isJson: false, data: Buffer.from(text), metadata: new Uint8Array() },
  }
  const { event, link: its } = await resolved(streams, link)
  expect([event?.id, its]).toEqual([leads ? proposed.id : undefined, link])
})
