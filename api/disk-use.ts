import type { Dirent } from 'node:fs'
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'

/** What a data directory consists of: part → what its files' paths begin with. */
const PARTS = {
  log: ['log'],
  keys: ['keys'],
  read_models: ['read-models.sqlite'],
  quarantine: ['quarantine'],
  audit: ['audit'],
  nats: ['nats'],
} as const

/** Part of the data directory → bytes that it takes on the disk; what is elsewhere counts as `other`. */
export async function diskUse(directory: string): Promise<ReadonlyMap<string, number>> {
  const use = new Map<string, number>([...Object.keys(PARTS), 'other'].map((part) => [part, 0]))
  for await (const path of pathsBelow(directory, '')) {
    const part = partOf(path)
    use.set(part, (use.get(part) ?? 0) + (await bytesOf(join(directory, path))))
  }
  return use
}

/** Directories come and go while an engine runs (of partial tiles, say), which Node's own recursive listing doesn't bear. */
async function* pathsBelow(root: string, inside: string): AsyncGenerator<string> {
  for (const entry of await entriesOf(join(root, inside), inside === '')) {
    const path = join(inside, entry.name)
    yield path
    if (entry.isDirectory()) yield* pathsBelow(root, path)
  }
}

async function entriesOf(directory: string, mustExist: boolean): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch (error) {
    if (mustExist) throw error
    return []
  }
}

function partOf(path: string): string {
  const found = Object.entries(PARTS).find(([, starts]) => starts.some((start) => path.startsWith(start)))
  return found === undefined ? 'other' : found[0]
}

const SECTOR_BYTES = 512

/** 0 for what has gone meanwhile. */
async function bytesOf(path: string): Promise<number> {
  try {
    const { blocks, size } = await stat(path)
    // Windows tells no blocks.
    return blocks === 0 ? size : blocks * SECTOR_BYTES
  } catch {
    return 0
  }
}

/** Bytes that are left for whoever runs this process. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
