import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as t from 'io-ts'

/** How far a pull has got, in a file of its own in the data directory. */

const issue = t.type({ message: t.string, reason: t.string })

const fileMark = t.intersection([
  t.type({
    name: t.string,
    /** Tells a renamed file from a new one. */
    inode: t.string,
    sizeBytes: t.number,
    modifiedMs: t.number,
    /** Bytes that were imported, from the first on, and their SHA-256. */
    doneBytes: t.number,
    sha256: t.string,
    /** Data rows among them. */
    rows: t.number,
    refusedRows: t.number,
  }),
  /** Why it couldn't be read as it was then. */
  t.partial({ failed: issue }),
])
export type FileMark = t.TypeOf<typeof fileMark>

const urlMark = t.partial({
  highWater: t.string,
  /** SHA-256 of the address that the two below belong to. */
  address: t.string,
  etag: t.string,
  lastModified: t.string,
})
export type UrlMark = t.TypeOf<typeof urlMark>

const codec = t.type({
  pull: t.literal(1),
  /** Marks of another mapping say nothing: its events are others. */
  mappingHash: t.string,
  /** Greatest position that was answered; a log that ends before it was restored from a backup. */
  position: t.number,
  files: t.array(fileMark),
  url: urlMark,
})

export interface Marks {
  readonly mappingHash: string
  position: number
  /** By name. */
  readonly files: Map<string, FileMark>
  url: UrlMark
}

function noMarks(mappingHash: string): Marks {
  return { mappingHash, position: 0, files: new Map(), url: {} }
}

/** What marks must be of to be believed: this mapping, and a log (by its last position) that holds what they say. */
export interface MarksOf {
  readonly mappingHash: string
  readonly head: number
}

/** None where there is no file, or none that can be believed: everything is read anew then, which does no harm. */
export async function readMarks(path: string, { mappingHash, head }: MarksOf): Promise<Marks> {
  try {
    const decoded = codec.decode(JSON.parse(await readFile(path, 'utf8')))
    if (decoded._tag === 'Left') return noMarks(mappingHash)
    const { files, url, position } = decoded.right
    if (decoded.right.mappingHash !== mappingHash || position > head) return noMarks(mappingHash)
    return { mappingHash, position, files: new Map(files.map((file) => [file.name, file])), url }
  } catch {
    return noMarks(mappingHash)
  }
}

/** Whole or not at all: written beside, then renamed over. */
export async function writeMarks(path: string, { mappingHash, position, files, url }: Marks): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.new`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(
      `${JSON.stringify({ pull: 1, mappingHash, position, files: [...files.values()], url })}\n`,
    )
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
}
