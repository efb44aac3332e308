import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Files, type LogFile, systemFiles } from '../../engine/log/embedded/files.ts'
import { parseSegmentName } from '../../engine/log/embedded/segment.ts'
import { anEvent, appends, identityId, T0 } from './events.ts'
import { opened, unsyncedFiles } from './support.ts'

/** Segments of many blocks, and of several frames when asked for. */
export async function filledLog(directory: string, commits: number, segmentBytes: number): Promise<void> {
  const log = await opened(directory, {
    segmentBytes,
    chunkBytes: 4096,
    files: unsyncedFiles,
    compression: 'off',
  })
  for (let i = 0; i < commits; i++) {
    const events = Array.from({ length: (i % 5) + 1 }, (_, j) =>
      anEvent({
        stream: `s-${(i + j) % 4}`,
        received: T0 + i,
        identities: [{ id: identityId(i % 5), namespace: 'user' }],
        data: { text: `the ${i}th of some texts that repeat`.repeat(i % 40), n: i },
      }),
    )
    await log.append(appends(...events))
  }
  await log.close()
}

/** First positions of the plain segments. */
export function plainSegments(directory: string): number[] {
  return readdirSync(directory)
    .map(parseSegmentName)
    .filter((first) => first !== undefined)
    .sort((a, b) => a - b)
}

export function contentOf(directory: string): Map<string, Buffer> {
  const files = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(files.map(({ name }) => [name, readFileSync(join(directory, name))]))
}

class Crash extends Error {
  readonly code = 'EIO'
}

/** The real disk until `after` operations were done; then every one fails, as if the process had ended there. */
export function crashingFiles(after: number): Files & { readonly operations: () => number } {
  let done = 0
  const step = <T>(operation: () => T): T => {
    if (done >= after) throw new Crash('crashed for a test')
    done++
    return operation()
  }
  const wrap = (file: LogFile): LogFile => ({
    read: (into, offset) => step(() => file.read(into, offset)),
    write: (bytes, offset) => step(() => file.write(bytes, offset)),
    sync: () => step(() => {}),
    truncate: (sizeBytes) => step(() => file.truncate(sizeBytes)),
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
  })
  return {
    operations: () => done,
    makeDirectory: (directory) => step(() => systemFiles.makeDirectory(directory)),
    list: (directory) => step(() => systemFiles.list(directory)),
    openRead: (path) => step(() => wrap(systemFiles.openRead(path))),
    openWrite: (path) => step(() => wrap(systemFiles.openWrite(path))),
    create: (path) => step(() => wrap(systemFiles.create(path))),
    rename: (from, to) => step(() => systemFiles.rename(from, to)),
    remove: (path) => step(() => systemFiles.remove(path)),
    syncDirectory: () => step(() => {}),
  }
}
