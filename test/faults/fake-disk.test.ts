import { describe, expect, it } from 'vitest'
import { FakeDisk, type Fault } from './fake-disk.ts'

// Theorem: the fake disk shows a process what it wrote, whatever is synced; keeps through a power cut everything that was
// synced, and of the rest exactly what the survival says; and fails where it is told to, doing no more than it says.

const NOTHING = { kind: 'nothing' } as const
const bytes = (text: string) => Buffer.from(text)

function content(disk: FakeDisk, path: string): string {
  const file = disk.files().openRead(path)
  const into = Buffer.alloc(file.sizeBytes())
  return into.subarray(0, file.read(into, 0)).toString()
}

/** A disk with the synced file /a, and what its process goes on with. */
function begun(text: string, faults: readonly (readonly [number, Fault])[] = []) {
  const disk = new FakeDisk()
  const files = disk.files(new Map(faults))
  const file = files.create('/a')
  file.write(bytes(text), 0)
  file.sync()
  files.syncDirectory('/')
  return { disk, files, file }
}

describe('a power cut', () => {
  it('keeps what was synced, and no more than that when it keeps nothing', () => {
    const { disk, file, files } = begun('old')
    file.write(bytes('newer'), 0)
    files.create('/b')
    expect(content(disk, '/a')).toBe('newer')
    disk.cutPower(NOTHING)
    expect(content(disk, '/a')).toBe('old')
    expect(disk.files().list('/')).toEqual(['a'])
  })

  it('loses names that were not synced, though the file was; and brings removed ones back', () => {
    const { disk, files } = begun('old')
    const file = files.create('/b.new')
    file.write(bytes('b'), 0)
    file.sync()
    files.rename('/b.new', '/b')
    files.remove('/a')
    disk.cutPower(NOTHING)
    expect(disk.files().list('/')).toEqual(['a'])
    expect(content(disk, '/a')).toBe('old')
  })

  it('keeps each unsynced name or not, independently', () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const { disk, files } = begun('old')
      files.create('/b.new')
      files.rename('/b.new', '/b')
      files.remove('/a')
      disk.cutPower({ kind: 'random', seed })
      seen.add(disk.files().list('/').join(' '))
    }
    expect([...seen].sort()).toEqual(['', 'a', 'a b', 'a b b.new', 'a b.new', 'b', 'b b.new', 'b.new'])
  })

  it('tears a write at any byte, keeps sectors of it, reorders it', () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 3000; seed++) {
      const { disk, file } = begun('0'.repeat(1024))
      file.write(bytes('1'.repeat(1024)), 0)
      file.write(bytes('2'), 0)
      disk.cutPower({ kind: 'random', seed })
      seen.add(content(disk, '/a'))
    }
    const shapes = [...seen].map((text) => text.replaceAll(/(.)\1*/g, '$1'))
    for (const shape of ['0', '1', '20', '21', '210', '10', '01', '201']) expect(shapes).toContain(shape)
    const tears = new Set([...seen].filter((text) => /^1+0+$/.test(text)).map((text) => text.indexOf('0')))
    expect(tears.size).toBeGreaterThan(50)
  })

  it('leaves zeros where a later write came and the one before it did not', () => {
    const { disk, file } = begun('')
    file.write(bytes('ab'), 0)
    file.write(bytes('cd'), 2)
    disk.cutPower({ kind: 'torn', bytes: 1 })
    expect(content(disk, '/a')).toBe('abc')
  })
})

describe('a process that dies', () => {
  it('leaves the page cache; the operation that it died in is done or not by the power', () => {
    const { disk, file } = begun('old', [[4, { kind: 'die' }]])
    expect(() => file.write(bytes('new'), 0)).toThrow(/died/)
    expect(() => file.write(bytes('more'), 0)).toThrow(/dead/)
    expect(content(disk.fork(), '/a')).toBe('new')
    disk.cutPower(NOTHING)
    expect(content(disk, '/a')).toBe('old')
  })

  it('in a sync: nothing is durable by it', () => {
    const { disk, file } = begun('old', [[5, { kind: 'die' }]])
    file.write(bytes('new'), 0)
    expect(() => file.sync()).toThrow(/died/)
    disk.cutPower(NOTHING)
    expect(content(disk, '/a')).toBe('old')
  })
})

describe('failures', () => {
  it('an fsync that loses its pages: read until the power goes, though a later fsync succeeds', () => {
    const { disk, file } = begun('old', [[5, { kind: 'lose_pages' }]])
    file.write(bytes('new'), 0)
    expect(() => file.sync()).toThrow(/EIO/)
    file.sync()
    expect(content(disk.fork(), '/a')).toBe('new')
    disk.cutPower({ kind: 'everything' })
    expect(content(disk, '/a')).toBe('old')
  })

  it('a full disk writes what fits, then nothing, and goes on when there is room', () => {
    const { disk, file } = begun('old')
    disk.roomBytes = 2
    expect(file.write(bytes('abcdefgh'), 0)).toBe(5)
    expect(() => file.write(bytes('fgh'), 5)).toThrow(/ENOSPC/)
    file.truncate(1)
    expect(file.write(bytes('bcdefgh'), 1)).toBe(4)
    disk.roomBytes = 100
    expect(file.write(bytes('fgh'), 5)).toBe(3)
    expect(content(disk.fork(), '/a')).toBe('abcdefgh')
  })

  it.each(['list', 'remove', 'rename', 'truncate', 'sync_directory'] as const)('%s', (kind) => {
    const { files, file } = begun('old', [[4, { kind: 'fail', code: 'EIO' }]])
    const calls = {
      list: () => files.list('/'),
      remove: () => files.remove('/a'),
      rename: () => files.rename('/a', '/b'),
      truncate: () => file.truncate(0),
      sync_directory: () => files.syncDirectory('/'),
    }
    expect(calls[kind]).toThrow(/EIO/)
    expect(files.list('/')).toEqual(['a'])
    expect(file.sizeBytes()).toBe(3)
  })

  it('a short write', () => {
    const { file } = begun('old', [[4, { kind: 'short', bytes: 2 }]])
    expect(file.write(bytes('newer'), 0)).toBe(2)
  })
})
