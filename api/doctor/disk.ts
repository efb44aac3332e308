import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '../../engine/clock.ts'
import { errorCode, type LogFile } from '../../engine/log/embedded/files.ts'
import { type Finding, fail, GIB, KIB, MIB, ok, shownBytes, shownDuration, warn } from './finding.ts'
import type { Machine } from './machine.ts'

/** The directory itself, or the nearest one above that is there: where it will be made. */
function existingAbove(directory: string): string {
  let found = directory
  while (!existsSync(found) && dirname(found) !== found) found = dirname(found)
  return found
}

interface KnownFileSystem {
  readonly name: string
  /** Why it is a bad place for the log. */
  readonly against?: string | undefined
}

const REMOTE = 'its locks and fsyncs go over a network: two engines could write one log'

/** Numbers of statfs(2), as Linux has them (include/uapi/linux/magic.h). */
const FILE_SYSTEMS: Readonly<Record<number, KnownFileSystem>> = {
  61267: { name: 'ext4' },
  1481003842: { name: 'xfs' },
  2435016766: { name: 'btrfs' },
  801189825: { name: 'zfs' },
  4076150800: { name: 'f2fs' },
  16914836: { name: 'tmpfs', against: 'it is memory: everything is gone after a restart' },
  2240043254: { name: 'ramfs', against: 'it is memory: everything is gone after a restart' },
  2035054128: { name: 'overlay', against: 'it goes with the container: mount a volume for the data' },
  26985: { name: 'nfs', against: REMOTE },
  4283649346: { name: 'cifs', against: REMOTE },
  4266872130: { name: 'smb', against: REMOTE },
  16914839: { name: '9p', against: REMOTE },
  1702057286: { name: 'fuse', against: 'whether its fsync reaches a disk is up to a program' },
}

export function checkFileSystem({ platform, volume }: Machine, directory: string): Finding {
  const { type } = volume(existingAbove(directory))
  const known = platform === 'linux' ? FILE_SYSTEMS[type] : undefined
  if (known === undefined)
    return ok('file system', `of a kind that isn't known here (0x${type.toString(16)})`)
  if (known.against === undefined) return ok('file system', known.name)
  return warn('file system', `${known.name}: ${known.against}`, 'put HEADWATER_DATA on a local disk')
}

const LEAST_FREE_BYTES = 100 * MIB
const GOOD_FREE_BYTES = GIB
const GOOD_FREE_SHARE = 0.05
const GOOD_FREE_INODES = 1000

export function checkSpace({ volume }: Machine, directory: string): readonly Finding[] {
  const { freeBytes, sizeBytes, freeInodes, inodes } = volume(existingAbove(directory))
  const message = `${shownBytes(freeBytes)} free of ${shownBytes(sizeBytes)}`
  const advice =
    'make room or move the data: on a full disk events are refused, and only queries are answered'
  const tight = freeBytes < GOOD_FREE_BYTES || freeBytes < sizeBytes * GOOD_FREE_SHARE
  const space =
    freeBytes < LEAST_FREE_BYTES
      ? fail('disk space', message, advice)
      : tight
        ? warn('disk space', message, advice)
        : ok('disk space', message)
  if (inodes === 0 || freeInodes >= GOOD_FREE_INODES) return [space]
  const left = `${freeInodes} files can still be made`
  const files = 'remove files that nobody needs, or make a file system with more inodes'
  return [space, freeInodes === 0 ? fail('inodes', left, files) : warn('inodes', left, files)]
}

const SYNCS = 21
const PROBE_BYTES = 4 * KIB
/** Nothing that keeps data through a power cut is this fast. */
const TOO_FAST_MS = 0.01
const SLOW_MS = 20

/** Writes and syncs a small file of its own, as the log does, and removes it. */
export function checkSync({ files }: Machine, directory: string, clock: Clock): Finding {
  const place = existingAbove(directory)
  const path = join(place, `.headwater-doctor-${randomBytes(6).toString('hex')}`)
  let file: LogFile | undefined
  try {
    file = files.create(path)
    const times = syncTimes(file, clock)
    files.syncDirectory(place)
    return judgeSync(times)
  } catch (error) {
    return cannotWrite(place, errorCode(error))
  } finally {
    file?.close()
    if (file !== undefined) files.remove(path)
  }
}

function syncTimes(file: LogFile, clock: Clock): readonly number[] {
  const bytes = randomBytes(PROBE_BYTES)
  return Array.from({ length: SYNCS }, (_, at) => {
    const written = file.write(bytes, at * PROBE_BYTES)
    if (written < PROBE_BYTES) throw Object.assign(new Error('a short write'), { code: 'ENOSPC' })
    const startMs = clock.monotonicMs()
    file.sync()
    return clock.monotonicMs() - startMs
  })
}

function judgeSync(times: readonly number[]): Finding {
  const sorted = times.toSorted((a, b) => a - b)
  const median = sorted[sorted.length >> 1] ?? 0
  const slowest = sorted.at(-1) ?? 0
  const message = `fdatasync takes ${shownDuration(median)} (median of ${times.length}; slowest ${shownDuration(slowest)})`
  if (median < TOO_FAST_MS) {
    return warn(
      'fsync',
      `${message}: too fast to reach a disk`,
      'check that nothing (libeatmydata, a cache without battery) swallows it',
    )
  }
  if (median > SLOW_MS)
    return warn('fsync', message, 'senders wait for it: use an SSD, or send in larger batches')
  return ok('fsync', message)
}

function cannotWrite(place: string, code: string): Finding {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return fail('fsync', `${place} is full (${code})`, 'make room: nothing is taken until there is some')
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return fail(
        'fsync',
        `${place} can't be written (${code})`,
        'give the user who runs the engine the right to, or mount it writable',
      )
    default:
      return fail(
        'fsync',
        `writing in ${place} failed (${code === '' ? 'unknown error' : code})`,
        'check the disk and what the kernel logged of it',
      )
  }
}
