import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { blockChecksum, readBlockHeader } from '../../engine/log/embedded/block-header.ts'
import { BLOCK } from '../../engine/log/embedded/format.ts'
import { readSegmentHeader } from '../../engine/log/embedded/segment.ts'

/** What somebody who can write the disk, and knows the format, does to a log of one segment: all checksums are right. */
export function forge(directory: string, change: (blocks: Buffer[]) => readonly Buffer[]): void {
  const [name, ...others] = readdirSync(directory).filter((each) => each.endsWith('.hwl'))
  if (name === undefined || others.length > 0) throw new Error('the forger expects one segment')
  const path = join(directory, name)
  const bytes = readFileSync(path)
  const header = readSegmentHeader(bytes)
  const forged = change(blocksOf(bytes, header.sizeBytes))
  let previous = header.previous
  for (const block of forged) {
    writeWide64(block, BLOCK.PREVIOUS, previous)
    block.writeUInt32BE(blockChecksum(block, header.salt), BLOCK.CHECKSUM + 1)
    const read = readBlockHeader(block, 0)
    if (read === undefined) throw new Error('the forger broke a block')
    previous = read.first + read.count - 1
  }
  writeFileSync(path, Buffer.concat([bytes.subarray(0, header.sizeBytes), ...forged]))
}

/** Moves a block to another position. */
export function moved(block: Buffer, first: number): Buffer {
  const copy = Buffer.from(block)
  writeWide64(copy, BLOCK.FIRST, first)
  return copy
}

function blocksOf(bytes: Buffer, from: number): Buffer[] {
  const blocks: Buffer[] = []
  for (let at = from; ; ) {
    const header = readBlockHeader(bytes, at)
    if (header === undefined) return blocks
    blocks.push(Buffer.from(bytes.subarray(at, at + header.sizeBytes)))
    at += header.sizeBytes
  }
}

function writeWide64(block: Buffer, offset: number, value: number): void {
  block.writeBigUInt64BE(BigInt(value), offset + 1)
}
