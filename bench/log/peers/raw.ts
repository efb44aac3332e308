import { join } from 'node:path'
import { BlockEncoder } from '../../../engine/log/embedded/block-encoder.ts'
import type { BenchEvent } from '../events.ts'
import type { PresentPeer } from './peer.ts'
import { ZeroedFile } from './zeroed-file.ts'

/** The least that durability costs: the very bytes that the log writes for a batch, encoded beforehand. */
export function rawPeer(directory: string): PresentPeer {
  const file = new ZeroedFile(join(directory, 'raw'))
  let encoded: readonly Uint8Array[] = []
  return {
    about:
      'write + fdatasync of the bytes that the log writes for the same events, encoded beforehand; file pre-zeroed in chunks like a segment; nothing is checked',
    contender: {
      name: 'raw',
      inFlight: 1,
      prepare: (batches) => {
        encoded = batches.map(encode)
      },
      append: async (_batch, index) => file.append(encoded[index] ?? new Uint8Array()),
      close: async () => file.close(),
    },
  }
}

const encoder = new BlockEncoder()

/** A block of the log with these events. */
function encode(batch: readonly BenchEvent[]): Uint8Array {
  for (const event of batch) encoder.add(event, event.revision)
  return encoder.finish(1, 0, new ArrayBuffer(0))
}
