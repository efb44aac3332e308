import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AuditFiles } from '../../engine/audit/audit-files.ts'
import { auditDirectory } from '../../engine/audit/audit-thread.ts'
import { entryPosition } from '../../engine/audit/entries.ts'
import { CHECKPOINT_NAME, KEY_NAME, TILE_WIDTH } from '../../engine/audit/format.ts'
import { lastHead } from '../../engine/audit/heads.ts'
import { storedEntries } from '../../engine/audit/stored-entries.ts'
import type { Clock } from '../../engine/clock.ts'
import type { Head } from '../../engine/log/log.ts'
import { counted, type Finding, fail, ok, shownDuration, warn } from './finding.ts'
import type { Machine } from './machine.ts'

const KEEP = 'keep the data directory as it is for whoever looks into it, and restore the log from a backup'

/** The newest tree head against the log, as far as that takes no reading of the log. */
export function checkAudit(
  { files }: Machine,
  directory: string,
  head: Head,
  { clock, keyHandedIn }: { readonly clock: Clock; readonly keyHandedIn: boolean },
): Finding {
  const place = auditDirectory(directory)
  const stored = new AuditFiles(files, place)
  const last = lastHead(stored)
  if (last === undefined) {
    return head.position === 0 || !existsSync(place)
      ? ok('audit', 'no tree head is signed yet')
      : warn('audit', 'no tree head was signed of this log', 'the next start signs one')
  }
  if (!keyHandedIn && !existsSync(join(place, KEY_NAME))) {
    const advice = 'restore it from a backup, or set HEADWATER_AUDIT_KEY: no tree head is signed without'
    return fail('audit', `the signing key audit/${KEY_NAME} is missing`, advice)
  }
  const index = Math.floor((last.size - 1) / TILE_WIDTH)
  const entry = storedEntries(stored, index)?.[(last.size - 1) % TILE_WIDTH]
  const position = entry === undefined ? undefined : entryPosition(entry)
  if (head.position < (position ?? 1)) {
    const message = `the log ends at position ${head.position}, and a tree head of ${counted(last.size, 'event')} is signed`
    return fail('audit', message, KEEP)
  }
  return ok(
    'audit',
    `the tree head of ${counted(last.size, 'event')}${age(place, clock)}; headwater audit verify compares it with the log`,
  )
}

function age(place: string, clock: Clock): string {
  const path = join(place, CHECKPOINT_NAME)
  if (!existsSync(path)) return ''
  return ` was signed ${shownDuration(Math.max(0, clock.nowMs() - statSync(path).mtimeMs))} ago`
}

/** What a running engine tells of it. */
export function auditFinding(
  state: 'signing' | 'refused' | 'stopped',
  treeHead: { readonly size: number; readonly ageS: number },
): Finding {
  switch (state) {
    case 'refused':
      return fail(
        'audit',
        "no tree head is signed: the log isn't what was signed before, or the key is missing",
        `see the log of the engine; ${KEEP}`,
      )
    case 'stopped':
      return fail(
        'audit',
        'no tree head is signed: its thread has stopped',
        'see the log of the engine, then restart it',
      )
    case 'signing': {
      const text = `tree head of ${counted(treeHead.size, 'event')}, ${treeHead.ageS.toFixed(1)} s behind the log`
      return treeHead.ageS <= MOST_BEHIND_S
        ? ok('audit', text)
        : warn('audit', text, 'it catches up by itself unless the machine is too busy')
    }
  }
}

const MOST_BEHIND_S = 10
