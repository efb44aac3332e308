import { afterEach, describe, expect, it, vi } from 'vitest'

// Theorem: whatever becomes of the part of Node that isn't documented, missing, throwing, idle or failing midway, frames
// are made that any zstd restores, and restored as they were; a damaged frame never is.

type Zlib = typeof import('node:zlib')
/** What a native part does when it is called for the nth time. */
type Spoil = (nth: number, write: () => void) => void

const SPOILT: readonly (readonly [string, Spoil | 'missing'])[] = [
  ['is missing', 'missing'],
  ['throws', () => throwing()],
  ['does nothing', () => {}],
  ['is as it was', (_, write) => write()],
  ['throws later', (nth, write) => (nth > 7 ? throwing() : write())],
  ['does nothing later', (nth, write) => (nth > 7 ? undefined : write())],
  ['does nothing now and then', (nth, write) => (nth % 5 === 4 ? undefined : write())],
]

function throwing(): never {
  throw new TypeError('a native part of another Node')
}

afterEach(() => {
  vi.doUnmock('node:zlib')
  vi.resetModules()
})

/** The codec, in a Node whose native parts are spoilt. */
async function codecWith(spoil: Spoil | 'missing') {
  vi.resetModules()
  vi.doMock('node:zlib', async (original) => {
    const zlib = await original<Zlib>()
    return {
      ...zlib,
      createZstdCompress: spoilt(zlib.createZstdCompress, spoil),
      createZstdDecompress: spoilt(zlib.createZstdDecompress, spoil),
    }
  })
  return import('../../engine/log/embedded/zstd-codec.ts')
}

function spoilt<A extends readonly unknown[], S extends object>(
  make: (...args: A) => S,
  spoil: Spoil | 'missing',
) {
  let nth = 0
  return (...args: A): S => {
    const stream = make(...args)
    if (spoil === 'missing') {
      Reflect.set(stream, '_writeState', undefined)
      return stream
    }
    const handle: unknown = Reflect.get(stream, '_handle')
    if (typeof handle !== 'object' || handle === null) throw new Error('Node has no native part')
    const write: unknown = Reflect.get(handle, 'writeSync')
    if (typeof write !== 'function') throw new Error('Node has no native part')
    Reflect.set(handle, 'writeSync', (...given: unknown[]) =>
      spoil(nth++, () => Reflect.apply(write, handle, given)),
    )
    return stream
  }
}

const PLAIN = Array.from({ length: 12 }, (_, i) => Buffer.from(`what a frame holds ${i} `.repeat(1 + i * 40)))

describe.each(SPOILT)('where the native part %s', (_, spoil) => {
  it('frames are what they are elsewhere', async () => {
    const { zstdDecompressSync } = await vi.importActual<Zlib>('node:zlib')
    const { compressFrame, restoreFrame } = await codecWith(spoil)
    for (const plain of PLAIN) {
      const frame = compressFrame(plain, 1)
      expect(zstdDecompressSync(frame).equals(plain)).toBe(true)
      const into = Buffer.alloc(plain.length)
      expect(restoreFrame(frame, into)).toBe(true)
      expect(into.equals(plain)).toBe(true)
    }
  })

  it('a damaged frame is refused, and the next one restored', async () => {
    const { compressFrame, restoreFrame } = await codecWith(spoil)
    for (const plain of PLAIN) {
      const frame = compressFrame(plain, 1)
      const damaged = Buffer.from(frame)
      damaged.writeUInt8(damaged.readUInt8(frame.length - 6) ^ 1, frame.length - 6)
      expect(restoreFrame(damaged, Buffer.alloc(plain.length))).toBe(false)
      expect(restoreFrame(frame, Buffer.alloc(plain.length))).toBe(true)
    }
  })
})
