import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { findOnPath, startNatsServer } from '../../../api/nats-server.ts'
import { openPublisher } from '../../../engine/intake/nats/publisher.ts'
import type { BenchEvent } from '../events.ts'
import { BATCHES_IN_FLIGHT } from '../plan.ts'
import type { MissingPeer, PresentPeer } from './peer.ts'

const NAME = 'JetStream'
const MAX_PAYLOAD_BYTES = 1024 * 1024
const STREAM = {
  name: 'BENCH',
  subjects: ['bench.>'],
  storage: 'file',
  retention: 'limits',
  num_replicas: 1,
  duplicate_window: 120_000_000_000,
}

/** One message an event, each acknowledged by itself: JetStream has no batches. */
export async function jetStreamPeer(directory: string): Promise<PresentPeer | MissingPeer> {
  const path = process.env['PATH'] ?? ''
  if (findOnPath('nats-server', path) === undefined)
    return { name: NAME, missing: 'no nats-server on the PATH' }
  const options = { directory: join(directory, 'jetstream'), port: 0, jetstream: true, path }
  const started = await startNatsServer({ ...options, maxPayloadBytes: MAX_PAYLOAD_BYTES })
  if (E.isLeft(started)) return { name: NAME, missing: started.left }
  const publisher = await openPublisher(started.right.url)
  const created = await publisher.publish(`$JS.API.STREAM.CREATE.${STREAM.name}`, encode(STREAM))
  if ('error' in created) return { name: NAME, missing: `no stream: ${JSON.stringify(created.error)}` }
  return {
    about: `NATS JetStream, one file stream, one message an event (4,000 under way), Nats-Msg-Id checked within a window of 2 min only, no unique (stream, revision). **Not the same durability**: nats-server fsyncs its files every sync_interval (2 min by default), acknowledgements don't wait for it`,
    contender: {
      name: NAME,
      inFlight: BATCHES_IN_FLIGHT,
      append: async (batch) => {
        const acks = batch.map((event) =>
          publisher.publish(`bench.${event.stream}`, encode(event), { msgId: event.id }),
        )
        for (const ack of await Promise.all(acks))
          if ('error' in ack) throw new Error(JSON.stringify(ack.error))
      },
      close: async () => {
        await publisher.close()
        await started.right.stop()
      },
    },
  }
}

const encoder = new TextEncoder()

function encode(value: BenchEvent | typeof STREAM): Uint8Array {
  return encoder.encode(JSON.stringify(value))
}
