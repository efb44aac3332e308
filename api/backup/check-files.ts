import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Files } from '../../engine/log/embedded/files.ts'
import { segmentName } from '../../engine/log/embedded/segment.ts'
import { digestOf } from './durable-files.ts'
import { BackupRefused } from './failure.ts'
import { assertEnds, segmentFirsts, walkSegment } from './log-cut.ts'
import type { BackupHead, LogManifest, Manifest } from './manifest.ts'
import { storedLog } from './stored-log.ts'

/** Told of bytes read, of how many in all. */
export type OnProgress = (done: number, of: number) => void

/** Every file of a backup is there with the bytes that its manifest states; throws `BackupRefused`. */
export function checkStored(directory: string, manifest: Manifest, onProgress: OnProgress): void {
  const ofBytes = manifest.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  let doneBytes = 0
  for (const { stored, sizeBytes, sha256 } of manifest.files) {
    const path = join(directory, stored)
    if (!existsSync(path)) throw damaged(path, 'it is missing')
    const digest = digestOf(path, (count) => {
      doneBytes += count
      onProgress(doneBytes, ofBytes)
    })
    if (digest.sizeBytes !== sizeBytes) throw damaged(path, `${digest.sizeBytes} bytes, not ${sizeBytes}`)
    if (digest.sha256 !== sha256) throw damaged(path, 'its SHA-256 is another')
  }
}

function damaged(path: string, why: string): BackupRefused {
  return new BackupRefused(`${path} is damaged (${why}): use another backup, or another copy of this one`)
}

/** Every block of a backup's log, and that it ends where its manifest says. Throws `BackupRefused`, `LogDamaged`. */
export function checkStoredLog(files: Files, directory: string, manifest: LogManifest): void {
  const head = checkBlocks(storedLog(files, directory, manifest.files), directory)
  const { position, mark } = manifest.head
  if (head.position === position && head.mark === mark) return
  throw new BackupRefused(
    `the log in ${directory} ends at position ${head.position}, its manifest says ${position}: use another backup`,
  )
}

/** Verifies every block of a log that nobody writes to, and that its segments follow each other. */
export function checkBlocks(files: Files, directory: string): BackupHead {
  let head: BackupHead = { position: 0, received: 0, mark: null }
  const firsts = segmentFirsts(files, directory)
  for (const first of firsts) {
    const walked = walkSegment(files, directory, first)
    if (first !== firsts.at(-1)) assertEnds(walked, first)
    if (walked.header.previous !== head.position) {
      throw new BackupRefused(
        `the log lacks the positions after ${head.position}, before its segment ${segmentName(first)}: a segment is missing`,
      )
    }
    head = { position: walked.last, received: walked.received, mark: walked.mark }
  }
  return head
}
