import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { systemClock } from '../../engine/clock.ts'
import { openQuarantine } from '../../engine/intake/quarantine.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import type { KeyStore, SealContext } from '../../engine/privacy/privacy.ts'
import { collect } from '../log/events.ts'
import { unsyncedFiles } from '../log/support.ts'

/** Small segments, so that a short script begins several. */
export const KERNEL_LOG = { segmentBytes: 4 * 1024, chunkBytes: 1024 }

/** What the child says, each on a line. */
export type Report =
  | { readonly kind: 'up' | 'done' }
  | { readonly kind: 'appended'; readonly id: string; readonly position: number }
  | { readonly kind: 'kept'; readonly id: string; readonly quarantineId: string }
  | { readonly kind: 'refused'; readonly what: 'keys' | 'log' | 'quarantine'; readonly why: string }

export function reportLine(report: Report): string {
  return `${JSON.stringify(report)}\n`
}

/** Whole lines only: the last one may be torn. */
export function parseReport(output: string): readonly Report[] {
  return output
    .split('\n')
    .slice(0, -1)
    .map((line): Report => JSON.parse(line))
}

export function contextOf(id: string): SealContext {
  return { source: 'crm', id, type: 'deal.created' }
}

/** Few people with several events each, some with one. */
export function personOf(id: string): string {
  const [, number = 0, part = 0] = id.split('-').map(Number)
  return part === 0 ? `person-${number % 3}` : `guest-${id}`
}

export const sealedText = (id: string): string => `secret of ${id}`
export const bodyText = (id: string): string => `{"broken": "${id}"}`

/**
 * Opens what a process left, as the next one would, and checks it against what was acknowledged by all before: every
 * event is there once, at its position, its sealed part opens; every quarantined body is readable; nothing is invented
 * or out of order.
 */
export async function checkLeft(directory: string, reports: readonly Report[]): Promise<void> {
  const opened = await openEmbeddedLog(join(directory, 'log'), { ...KERNEL_LOG, files: unsyncedFiles })
  if (E.isLeft(opened)) throw new Error(`the log doesn't open: ${JSON.stringify(opened.left)}`)
  const log = opened.right
  const create = log.head().position === 0
  const keys = { clock: systemClock, masterKey: Buffer.alloc(32, 7), create }
  const keyStore = openKeyStore(join(directory, 'keys'), keys)
  try {
    const events = await collect(log.read())
    checkOrder(events.map(({ id }) => id))
    for (const [i, event] of events.entries()) {
      assert.equal(event.position, i + 1)
      const [part] = event.sealed
      assert(part !== undefined)
      const text = keyStore.open(part, contextOf(event.id))
      assert.equal(Buffer.from(text ?? []).toString(), sealedText(event.id))
      const owner = keyStore.identify({ namespace: 'user', value: personOf(event.id) })
      assert.equal(owner, event.identities[0]?.id, `${personOf(event.id)} has one id`)
    }
    for (const report of reports)
      if (report.kind === 'appended') assert.equal(events[report.position - 1]?.id, report.id)
    await checkKept(directory, keyStore, reports)
  } finally {
    await keyStore.close()
    await log.close()
  }
}

async function checkKept(directory: string, keyStore: KeyStore, reports: readonly Report[]): Promise<void> {
  const quarantine = openQuarantine(join(directory, 'quarantine'), keyStore, systemClock)
  try {
    for (const report of reports) {
      if (report.kind !== 'kept') continue
      const { body } = quarantine.get(report.quarantineId) ?? {}
      assert.equal(Buffer.from(body ?? []).toString(), bodyText(report.id))
    }
  } finally {
    await quarantine.close()
  }
}

/** Ids are `run-commit-part`; each run appends in that order, and stops at the first that isn't appended. */
function checkOrder(ids: readonly string[]): void {
  assert.equal(new Set(ids).size, ids.length, 'no event twice')
  const places = ids.map((id) => id.split('-').map(Number))
  const size = ([run = 0, commit = 0, part = 0]: readonly number[]): number => run * 1e9 + commit * 10 + part
  for (const [i, place] of places.entries()) {
    const before = places[i - 1]
    assert(before === undefined || size(before) < size(place), `${ids[i - 1]} before ${ids[i]}`)
  }
}
