import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BLOCK_PREFIX } from '../../engine/log/embedded/format.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { LogDamaged, type LogReader } from '../../engine/log/log.ts'
import { anEvent, appends, collect, identityId, positions, T0 } from './events.ts'
import { opened, refused, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: a log opens to exactly its whole blocks. What a crash can leave at its end is cut and reported; damage
// anywhere else is reported with its place and positions, nothing is cut or skipped, and what is around it is read.

/** Commits on this thread, without a lock: opening is cheap, and the thread and lock have tests of their own. */
const INLINE = { segmentBytes: 4096, chunkBytes: 1024, files: unsyncedFiles }

let directory: TemporaryDirectory
beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(() => directory.remove())

const path = (name: string): string => join(directory.path, name)

function segments(): string[] {
  return readdirSync(directory.path).filter((name) => name.endsWith('.hwl'))
}

/** Commits of 1, 2, 3, 1, 2 … events. Answers the last position of each. */
async function filled(commits: number, options = INLINE): Promise<number[]> {
  const log = await opened(directory.path, options)
  const lasts: number[] = []
  for (let i = 0; i < commits; i++) {
    const events = Array.from({ length: (i % 3) + 1 }, (_, j) =>
      anEvent({
        stream: `s-${(i + j) % 4}`,
        received: T0 + i,
        identities: [{ id: identityId(i % 5), namespace: 'user' }],
      }),
    )
    await log.append(appends(...events))
    lasts.push(log.head().position)
  }
  await log.close()
  return lasts
}

/** Offsets at which blocks begin. */
function blockOffsets(name: string): number[] {
  const bytes = readFileSync(path(name))
  const offsets: number[] = []
  for (let at = bytes.indexOf(BLOCK_PREFIX); at >= 0; at = bytes.indexOf(BLOCK_PREFIX, at + 1))
    offsets.push(at)
  return offsets
}

function change(name: string, edit: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path(name))
  writeFileSync(path(name), edit(bytes) ?? bytes)
}

async function damageIn(reading: Promise<unknown>): Promise<LogDamaged> {
  const error = await reading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof LogDamaged) return error
  throw new Error(`no damage: ${error}`)
}

describe('opening again', () => {
  it('finds every event, stream and identity, and goes on where it ended, over many segments', async () => {
    const lasts = await filled(60)
    expect(segments().length).toBeGreaterThan(4)
    const log = await opened(directory.path, INLINE)
    const all = await collect(log.read())
    expect(log.tornTail).toBeUndefined()
    expect(all.map((event) => event.position)).toEqual(Array.from({ length: 120 }, (_, i) => i + 1))
    expect(log.head()).toEqual({ position: lasts.at(-1), received: T0 + 59 })
    for (const stream of ['s-0', 's-1', 's-2', 's-3']) {
      const own = all.filter((event) => event.stream === stream)
      expect(await collect(log.readStream(stream))).toEqual(own)
      expect(log.streamHead(stream)).toEqual({ position: own.at(-1)?.position, revision: own.length - 1 })
    }
    const named = all.filter((event) => event.identities.some(({ id }) => id === identityId(2)))
    expect(await collect(log.readIdentity(identityId(2)))).toEqual(named)
    expect(await collect(log.readBackwards())).toEqual(all.toReversed())
    const results = await log.append(appends(anEvent({ stream: 's-0', received: T0 + 60 })))
    expect(results[0]).toMatchObject({ right: { position: 121 } })
    await expect(log.append(appends(anEvent({ received: T0 + 59 })))).rejects.toThrow(/received/)
    await log.close()
    expect(await positions(openEmbeddedReader(directory.path))).toHaveLength(121)
  })

  it('gives a block larger than a segment a segment of its own', async () => {
    const log = await opened(directory.path, INLINE)
    for (let i = 0; i < 3; i++) await log.append(appends(anEvent({ data: { text: 'x'.repeat(9000) } })))
    await log.close()
    expect(segments()).toHaveLength(3)
    const again = await opened(directory.path, INLINE)
    expect(await positions(again)).toEqual([1, 2, 3])
    await again.close()
  })

  it('removes a segment that was never finished', async () => {
    await filled(3)
    writeFileSync(path('00000000000000000007.hwl.new'), 'half a header')
    const log = await opened(directory.path, INLINE)
    await log.close()
    expect(readdirSync(directory.path).filter((name) => name.endsWith('.new'))).toEqual([])
  })

  it('goes on in a segment that has a header and no block yet', async () => {
    await filled(1)
    const name = segments()[0] ?? ''
    const [first = 0] = blockOffsets(name)
    change(name, (bytes) => bytes.fill(0, first))
    const log = await opened(directory.path, INLINE)
    expect(log.head().position).toBe(0)
    await log.append(appends(anEvent()))
    await log.close()
    expect(await positions(openEmbeddedReader(directory.path))).toEqual([1])
  })
})

describe('a torn tail', () => {
  /** The last position of the commits that lie whole below an offset. */
  function wholeBelow(offset: number, ends: readonly number[], lasts: readonly number[]): number {
    return lasts[ends.filter((end) => end <= offset).length - 1] ?? 0
  }

  it.each([
    ['the file ends there', (bytes: Buffer, at: number) => bytes.subarray(0, at)],
    ['zeros from there on', (bytes: Buffer, at: number) => Buffer.from(bytes).fill(0, at)],
  ])('opens to the whole commits before it, at every byte offset: %s', async (_, tear) => {
    const lasts = await filled(4, { ...INLINE, segmentBytes: 64 * 1024 })
    const name = segments()[0] ?? ''
    const whole = readFileSync(path(name))
    const offsets = blockOffsets(name)
    const used = whole.length - [...whole].reverse().findIndex((byte) => byte !== 0)
    const ends = [...offsets.slice(1), used]
    for (let at = offsets[0] ?? 0; at <= used; at++) {
      writeFileSync(path(name), tear(whole, at))
      const expected = wholeBelow(at, ends, lasts)
      const log = await opened(directory.path, INLINE)
      expect(log.head().position, `offset ${at}`).toBe(expected)
      // A block whose last bytes are zeros is whole without them.
      const clean = at === offsets[0] || ends.includes(at)
      expect(log.tornTail === undefined, `offset ${at}`).toBe(clean)
      if (log.tornTail !== undefined) {
        expect(log.tornTail).toMatchObject({ segment: name, position: expected })
        expect([offsets[0], ...ends]).toContain(log.tornTail.offset)
      }
      expect(await positions(log)).toEqual(Array.from({ length: expected }, (_, i) => i + 1))
      await log.close()
    }
  })

  it('is gone after it was cut, and appending goes on there', async () => {
    const lasts = await filled(3)
    const name = segments()[0] ?? ''
    const last = blockOffsets(name)[2] ?? 0
    change(name, (bytes) => bytes.fill(0, last + 60))
    const log = await opened(directory.path, INLINE)
    expect(log.tornTail).toMatchObject({ _tag: 'TornTail', segment: name, offset: last, position: lasts[1] })
    await log.append(appends(anEvent({ received: T0 + 9 })))
    await log.close()
    const again = await opened(directory.path, INLINE)
    expect(again.tornTail).toBeUndefined()
    expect(await positions(again)).toEqual([1, 2, 3, 4])
    await again.close()
  })

  it('may hold what looks like a block inside a payload: it is no block of this segment', async () => {
    await filled(3)
    const name = segments()[0] ?? ''
    const other = temporaryDirectory()
    const log = await opened(other.path, INLINE)
    const [from = 0, to = 0] = blockOffsets(name).slice(1)
    const block = readFileSync(path(name)).subarray(from, to)
    await log.append(appends(anEvent({ data: { forged: new Uint8Array(block), more: 'x'.repeat(50) } })))
    await log.close()
    const file = join(other.path, '00000000000000000001.hwl')
    writeFileSync(file, readFileSync(file).fill(0, readFileSync(file).indexOf('xxxx') + 10))
    const torn = await opened(other.path, INLINE)
    expect(torn.tornTail).toMatchObject({ position: 0 })
    await torn.close()
    other.remove()
  })
})

describe('damage before the tail', () => {
  const bare = (): LogReader => openEmbeddedReader(directory.path)

  it('a flipped bit in any byte of a block in the middle', async () => {
    const lasts = await filled(6)
    const name = segments()[0] ?? ''
    const whole = readFileSync(path(name))
    const offsets = blockOffsets(name)
    const [from = 0, to = 0] = offsets.slice(2)
    const [before = 0, damaged = 0] = lasts.slice(1)
    for (let at = from; at < to; at += at < from + 60 ? 1 : 7) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
      writeFileSync(path(name), bytes)
      const failure = await refused(directory.path, INLINE)
      const expected = { segment: name, offset: from, fromPosition: before + 1, untilPosition: damaged + 1 }
      expect(failure, `offset ${at}`).toMatchObject({ _tag: 'Damaged', damage: expected })
      expect(readFileSync(path(name)).equals(bytes)).toBe(true)

      const reader = bare()
      const seen: number[] = []
      const reading = (async () => {
        for await (const batch of reader.read()) for (const event of batch) seen.push(event.position)
      })()
      expect(await damageIn(reading), `offset ${at}`).toMatchObject(expected)
      expect(seen).toEqual(Array.from({ length: before }, (_, i) => i + 1))
      const rest = await positions(reader, { from: damaged + 1 })
      expect(rest[0]).toBe(damaged + 1)
      expect(rest.at(-1)).toBe(reader.head().position)
      expect((await reader.at(before))?.position).toBe(before)
      expect((await reader.at(damaged + 1))?.position).toBe(damaged + 1)
      expect(await damageIn(reader.at(damaged))).toMatchObject(expected)
      const backwards = collect(reader.readBackwards({ from: damaged + 1, limit: 1 }))
      expect((await backwards).map((event) => event.position)).toEqual([damaged + 1])
      expect(await damageIn(collect(reader.readBackwards()))).toMatchObject({ segment: name })
      await reader.close()
    }
  })

  it('zeros over a block in the middle', async () => {
    const lasts = await filled(6)
    const name = segments()[0] ?? ''
    const [from = 0, to = 0] = blockOffsets(name).slice(2)
    change(name, (bytes) => bytes.fill(0, from, to))
    const expected = { offset: from, fromPosition: (lasts[1] ?? 0) + 1, untilPosition: (lasts[2] ?? 0) + 1 }
    expect(await refused(directory.path, INLINE)).toMatchObject({ _tag: 'Damaged', damage: expected })
    expect(await damageIn(collect(bare().read()))).toMatchObject(expected)
  })

  it('a block taken out, the others moved up', async () => {
    const lasts = await filled(6)
    const name = segments()[0] ?? ''
    const [from = 0, to = 0] = blockOffsets(name).slice(2)
    change(name, (bytes) => Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]))
    const fromPosition = (lasts[1] ?? 0) + 1
    expect(await refused(directory.path, INLINE)).toMatchObject({ _tag: 'Damaged', damage: { fromPosition } })
    expect(await damageIn(collect(bare().read()))).toMatchObject({ fromPosition })
  })

  it('two blocks swapped', async () => {
    await filled(6)
    const name = segments()[0] ?? ''
    const [a = 0, b = 0, c = 0] = blockOffsets(name).slice(1)
    change(name, (bytes) =>
      Buffer.concat([bytes.subarray(0, a), bytes.subarray(b, c), bytes.subarray(a, b), bytes.subarray(c)]),
    )
    expect(await refused(directory.path, INLINE)).toMatchObject({ _tag: 'Damaged', damage: { offset: a } })
    expect(await damageIn(collect(bare().read()))).toMatchObject({ offset: a })
  })

  it('a damaged block and a commit that was torn behind it', async () => {
    await filled(6)
    const name = segments()[0] ?? ''
    const [damaged = 0, torn = 0, end = 0] = blockOffsets(name).slice(1)
    change(name, (bytes) => {
      bytes[damaged + 70] = (bytes[damaged + 70] ?? 0) ^ 1
      return bytes.fill(0, torn + 60, bytes.length).subarray(0, end)
    })
    for (const each of segments().slice(1)) rmSync(path(each))
    expect(await refused(directory.path, INLINE)).toMatchObject({
      _tag: 'Damaged',
      damage: { offset: damaged },
    })
  })

  it('the end of a segment that is not the last', async () => {
    await filled(40)
    const [first = '', second = ''] = segments()
    const offset = blockOffsets(first).at(-1) ?? 0
    change(first, (bytes) => bytes.subarray(0, offset + 20))
    expect(await refused(directory.path, INLINE)).toMatchObject({
      _tag: 'Damaged',
      damage: { segment: first, offset },
    })
    const damage = await damageIn(collect(bare().read()))
    expect(damage).toMatchObject({ segment: first, offset, untilPosition: Number(second.slice(0, 20)) })
    expect(await positions(bare(), { from: damage.untilPosition })).not.toEqual([])
  })

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, 30)],
    ['empty', () => Buffer.alloc(0)],
    ['zeroed', (bytes: Buffer) => Buffer.alloc(bytes.length)],
  ])('a segment header: %s', async (_, edit) => {
    await filled(40)
    for (const name of [segments()[1] ?? '', segments().at(-1) ?? '']) {
      const whole = readFileSync(path(name))
      writeFileSync(path(name), edit(Buffer.from(whole)))
      const failure = await refused(directory.path, INLINE)
      const fromPosition = Number(name.slice(0, 20))
      expect(failure).toMatchObject({ _tag: 'Damaged', damage: { segment: name, offset: 0, fromPosition } })
      writeFileSync(path(name), whole)
    }
  })

  it('a flipped bit in any byte of a segment header', async () => {
    await filled(2)
    const name = segments()[0] ?? ''
    const whole = readFileSync(path(name))
    const end = blockOffsets(name)[0] ?? 0
    for (let at = 0; at < end; at++) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
      writeFileSync(path(name), bytes)
      const failure = await refused(directory.path, INLINE)
      expect(failure, `offset ${at}`).toMatchObject({
        _tag: 'Damaged',
        damage: { offset: 0, fromPosition: 1 },
      })
    }
  })

  it('a newer format version is refused as such', async () => {
    await filled(2)
    const name = segments()[0] ?? ''
    change(name, (bytes) => {
      bytes.writeUInt32BE(2, 16)
      const checksum = crc32(bytes.subarray(25, 66), crc32(bytes.subarray(0, 20)))
      bytes.writeUInt32BE(checksum, 21)
      return bytes
    })
    const failure = await refused(directory.path, INLINE)
    expect(failure).toEqual({ _tag: 'UnsupportedFormat', segment: name, version: 2 })
  })
})

describe('segments', () => {
  it('missing in the middle', async () => {
    await filled(40)
    const [, missing = '', next = ''] = segments()
    rmSync(path(missing))
    const after = Number(missing.slice(0, 20)) - 1
    const before = Number(next.slice(0, 20))
    const failure = await refused(directory.path, INLINE)
    expect(failure).toEqual({ _tag: 'SegmentMissing', after, before, next })
    const reader = openEmbeddedReader(directory.path)
    const damage = await damageIn(collect(reader.read()))
    expect(damage).toMatchObject({ fromPosition: after + 1, untilPosition: before })
    expect((await positions(reader, { from: before }))[0]).toBe(before)
    expect(await positions(reader, { limit: after })).toHaveLength(after)
    expect(await damageIn(collect(reader.readBackwards()))).toMatchObject({ fromPosition: after + 1 })
    expect(await damageIn(reader.at(after + 1))).toMatchObject({ fromPosition: after + 1 })
  })

  it('missing at the beginning', async () => {
    await filled(40)
    const [first = '', next = ''] = segments()
    rmSync(path(first))
    const failure = await refused(directory.path, INLINE)
    expect(failure).toMatchObject({ _tag: 'SegmentMissing', after: 0, next })
  })

  it('copied under another name', async () => {
    await filled(40)
    const [first = '', second = ''] = segments()
    for (const [from, to] of [
      [first, '00000000000000000003.hwl'],
      [first, '00000000000000009999.hwl'],
      [second, '00000000000000009999.hwl'],
    ] as const) {
      copyFileSync(path(from), path(to))
      const failure = await refused(directory.path, INLINE)
      expect(failure).toEqual({ _tag: 'SegmentDuplicated', segment: to, first: Number(from.slice(0, 20)) })
      rmSync(path(to))
    }
  })

  it('exchanged for another', async () => {
    await filled(40)
    const [, second = '', third = ''] = segments()
    renameSync(path(second), path('kept'))
    copyFileSync(path(third), path(second))
    expect(await refused(directory.path, INLINE)).toMatchObject({
      _tag: 'SegmentDuplicated',
      segment: second,
    })
  })

  it('of another workspace', async () => {
    await filled(3)
    const failure = await refused(directory.path, { ...INLINE, workspace: 'acme' })
    expect(failure).toEqual({ _tag: 'OtherWorkspace', expected: 'acme', found: 'default' })
  })

  it('beside files that are none', async () => {
    await filled(3)
    writeFileSync(path('README'), 'x')
    writeFileSync(path('1.hwl'), 'x')
    const log = await opened(directory.path, INLINE)
    expect(log.head().position).toBe(6)
    await log.close()
  })
})

describe('the lock', () => {
  it('refuses a second log on the directory until the first is closed', async () => {
    const first = await opened(directory.path)
    expect(await refused(directory.path)).toEqual({ _tag: 'AlreadyOpen', directory: directory.path })
    await first.append(appends(anEvent()))
    await first.close()
    const second = await opened(directory.path)
    expect(second.head().position).toBe(1)
    await second.close()
  })

  it('is free again after a log that did not open', async () => {
    await filled(3)
    expect((await refused(directory.path, { workspace: 'acme' }))._tag).toBe('OtherWorkspace')
    await (await opened(directory.path)).close()
  })
})
