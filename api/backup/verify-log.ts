import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { plainFiles } from '../../engine/log/embedded/compressed-files.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import { segmentName } from '../../engine/log/embedded/segment.ts'
import { type LogFinding, verifyLog } from '../../engine/log/embedded/verify-log.ts'
import { LogDamaged } from '../../engine/log/log.ts'
import { counted, type Finding, fail, ok, warn } from '../doctor/finding.ts'
import type { OnProgress } from './check-files.ts'
import { BackupRefused } from './failure.ts'
import { cutLog, type LogCut } from './log-cut.ts'
import type { BackupHead } from './manifest.ts'
import { readOnly } from './stored-log.ts'

const RESTORE = 'keep the damaged file; restore that segment, or everything, from a backup'

interface VerifiedLog {
  readonly findings: readonly Finding[]
  /** The last event. */
  readonly head: BackupHead
  /** Nothing is damaged or missing. */
  readonly whole: boolean
}

/**
 * Verifies every block of a log, that its segments follow each other, and the index files; goes on behind damage.
 * `isRunning`: an engine appends meanwhile; the log is looked at up to where it is now.
 */
export function verifyBlocks(
  files: Files,
  data: string,
  options: { readonly workspace: string; readonly isRunning: boolean; readonly onProgress: OnProgress },
): VerifiedLog {
  const directory = join(data, 'log')
  const cut = cutIfWhole(files, directory)
  const disk = options.isRunning && 'head' in cut ? upTo(files, cut) : readOnly(plainFiles(files))
  const findings: Finding[] = 'head' in cut ? [...otherWorkspace(cut, options.workspace)] : [cut]
  let events = 0
  for (const step of verifyLog(disk, directory)) {
    options.onProgress(step.doneBytes, step.totalBytes)
    events = step.events
    for (const each of step.findings.map(judge)) {
      // The end of the log was looked at before, for where to stop.
      if (!findings.some(({ message }) => message === each.message)) findings.push(each)
    }
  }
  const whole = 'head' in cut && !findings.some(({ status }) => status === 'fail')
  const head = 'head' in cut ? cut.head : { position: Number.NaN, received: 0, mark: null }
  if (!whole) return { findings, head, whole }
  const segments = 'head' in cut ? cut.segments.length : 0
  const message = `every block of ${counted(segments, 'segment')} is whole: ${counted(events, 'event')}, last position ${head.position}`
  return { findings: [ok('log', message), ...findings], head, whole }
}

function cutIfWhole(files: Files, directory: string): LogCut | Finding {
  try {
    return cutLog(files, directory)
  } catch (error) {
    if (error instanceof LogDamaged) return fail('log', error.message, RESTORE)
    if (error instanceof BackupRefused) return fail('log', error.message, 'use a newer release')
    throw error
  }
}

function otherWorkspace({ workspace }: LogCut, expected: string): readonly Finding[] {
  if (workspace === undefined || workspace === expected) return []
  const message = `the log belongs to the workspace ${workspace}, not ${expected}`
  return [fail('log', message, 'set HEADWATER_WORKSPACE to the one it belongs to')]
}

/** A log as it was at a cut: what is appended behind it isn't seen. */
function upTo(files: Files, cut: LogCut): Files {
  const disk = readOnly(plainFiles(files))
  const last = cut.segments.at(-1)
  if (last?.untilBytes === undefined) return disk
  const { first, untilBytes } = last
  const name = segmentName(first)
  return {
    ...disk,
    list: (directory) => disk.list(directory).filter((each) => !/^\d{20}\.hwl/.test(each) || each <= name),
    openRead: (path) => {
      const file = disk.openRead(path)
      if (!path.endsWith(name)) return file
      return {
        ...file,
        sizeBytes: () => untilBytes,
        read: (into, offset) => file.read(into.subarray(0, Math.max(0, untilBytes - offset)), offset),
      }
    },
  }
}

function judge(finding: LogFinding): Finding {
  switch (finding._tag) {
    case 'Damaged':
      return fail('log', finding.damage.message, RESTORE)
    case 'Chain': {
      const { segment, after, previous } = finding
      assert.notEqual(after, previous)
      return previous > after
        ? fail('log', `positions after ${after} up to ${previous} are missing before ${segment}`, RESTORE)
        : fail(
            'log',
            `${segment} repeats positions after ${previous}`,
            'it is a copy of another segment: take it out of the directory',
          )
    }
    case 'UnsupportedFormat':
      return fail('log', `${finding.segment} has format ${finding.version}`, 'use a newer release')
    case 'Index':
      return warn(
        'index',
        `${finding.path}: ${finding.why}`,
        'remove that file while the engine is stopped: the next start makes it anew',
      )
    case 'TornTail':
      return warn(
        'torn tail',
        `${finding.segment} ends in an unfinished block at byte ${finding.offset}`,
        'nothing to do: it was never acknowledged, and the next start cuts it',
      )
  }
}
