import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Packr } from 'msgpackr'
import type { PresentPeer } from './peer.ts'
import { ZeroedFile } from './zeroed-file.ts'

const HEAD_BYTES = 8

/** What anybody would write first: pack the batch, checksum, write, fdatasync. */
export function barePeer(directory: string): PresentPeer {
  const file = new ZeroedFile(join(directory, 'bare'))
  const packr = new Packr({ useRecords: false })
  const head = Buffer.alloc(HEAD_BYTES)
  return {
    about:
      'a loop of msgpackr pack (plain MessagePack), CRC-32, write, fdatasync on one thread; file pre-zeroed in chunks; no index, nothing is checked',
    contender: {
      name: 'bare loop',
      inFlight: 1,
      append: async (batch) => {
        const packed = packr.pack(batch)
        head.writeUInt32BE(packed.length, 0)
        head.writeUInt32BE(crc32(packed), 4)
        file.append(Buffer.concat([head, packed]))
      },
      close: async () => file.close(),
    },
  }
}
