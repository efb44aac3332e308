import type { Clock } from '../../engine/clock.ts'
import { readOpenErasures } from '../erasure/operations-file.ts'
import { counted, type Finding, fail, ok, warn } from './finding.ts'

/** Whether people wait to be forgotten who should be by now; no engine runs. */
export function checkErasures(directory: string, clock: Clock): Finding {
  const open = readOpenErasures(directory)
  const begun = open.filter(({ state }) => state === 'executing').length
  if (begun > 0) {
    const message = `${counted(begun, 'erasure')} was cut off`.replace('s was', 's were')
    return fail('erasures', message, 'start the engine: it completes them before it serves anything')
  }
  const overdue = open.filter(({ due }) => due <= clock.nowMs()).length
  if (overdue > 0) {
    const message = `${counted(overdue, 'erasure')} due, and no engine runs to carry them out`
    return warn('erasures', message, 'start the engine: it does so at once')
  }
  return ok('erasures', open.length === 0 ? 'none is waiting' : `${counted(open.length, 'erasure')} waiting`)
}

export function overdueFinding(overdue: number): Finding {
  return fail(
    'erasures',
    `${counted(overdue, 'erasure')} overdue`,
    'headwater erasures tells what holds them up; it is tried again every minute',
  )
}
