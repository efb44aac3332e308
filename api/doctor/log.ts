import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../engine/clock.ts'
import { withCompressed } from '../../engine/log/embedded/compressed-files.ts'
import { type OpenFailure, recover, type TornTail } from '../../engine/log/embedded/recovery.ts'
import { SegmentList } from '../../engine/log/embedded/segment-list.ts'
import type { Head } from '../../engine/log/log.ts'
import { readOnly } from '../backup/stored-log.ts'
import { replicaOf } from '../open-log.ts'
import { counted, type Finding, fail, ok, shownBytes, shownDuration, warn } from './finding.ts'
import type { Machine } from './machine.ts'

/** Reads and verifies the whole log, as a start does. `head`: undefined where it can't be opened. */
export function checkLog(
  { files }: Machine,
  directory: string,
  workspace: string,
): { readonly findings: readonly Finding[]; readonly head: Head | undefined } {
  const place = join(directory, 'log')
  if (!existsSync(place)) return { findings: [ok('log', 'empty')], head: { position: 0, received: 0 } }
  const disk = withCompressed(readOnly(files))
  const segments = new SegmentList(disk, place)
  try {
    const recovered = recover(disk, place, workspace, segments, { add: () => {} })
    if (!('head' in recovered))
      return { findings: [refused(recovered, replicaOf(directory) !== undefined)], head: undefined }
    const { head, tornTail } = recovered
    const found = `${counted(segments.firsts.length, 'segment')} verified, last position ${head.position}`
    return { findings: [ok('log', found), ...(tornTail === undefined ? [] : [torn(tornTail)])], head }
  } finally {
    segments.close()
  }
}

function torn({ segment, offset, cutBytes, position }: TornTail): Finding {
  const message = `${segment} ends in an unfinished block at byte ${offset} (${shownBytes(cutBytes)}), after position ${position}`
  return warn('torn tail', message, 'nothing to do: it was never acknowledged, and the next start cuts it')
}

const RESTORE = 'nothing was changed; restore it from a backup, and keep the damaged file'
const MAKE_ANEW = 'log/ is a replica: remove it, and the next start makes it anew from EventStoreDB'

function refused(failure: OpenFailure, isReplica: boolean): Finding {
  const repair = isReplica ? MAKE_ANEW : RESTORE
  switch (failure._tag) {
    case 'Damaged':
      return fail('log', failure.damage.message, repair)
    case 'SegmentMissing':
      return fail(
        'log',
        `positions between ${failure.after} and ${failure.before} are missing before ${failure.next}`,
        repair,
      )
    case 'SegmentDuplicated':
      return fail(
        'log',
        `${failure.segment} repeats positions from ${failure.first}`,
        'it is a copy of another segment: take it out of the directory',
      )
    case 'UnsupportedFormat':
      return fail(
        'log',
        `${failure.segment} has format ${failure.version}`,
        'use the release that wrote it, or a newer one',
      )
    case 'OtherWorkspace':
      return fail(
        'log',
        `it belongs to the workspace ${failure.found}, not ${failure.expected}`,
        'set HEADWATER_WORKSPACE to the one it belongs to',
      )
    case 'AlreadyOpen':
      return fail('log', `${failure.directory} is open in another process`, 'stop that one first')
  }
}

/** The intake trusts no clock that is further behind the log than this. */
const MAX_BEHIND_MS = 10 * 60_000

export function checkClock(clock: Clock, { position, received }: Head): Finding {
  const behindMs = received - clock.nowMs()
  if (position === 0 || behindMs <= 0) return ok('clock', 'not behind the log')
  const message = `the wall clock is ${shownDuration(behindMs)} behind the last event's receipt`
  if (behindMs <= MAX_BEHIND_MS)
    return warn('clock', message, 'let NTP set it; until it has caught up, events get that receipt')
  return fail(
    'clock',
    message,
    'set the clock; if it is right now, start and confirm it: POST /v1/clock/confirm',
  )
}
