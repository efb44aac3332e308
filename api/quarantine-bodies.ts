import { setImmediate } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import { registry } from '../engine/events/registry.ts'
import type { EngineIntake } from '../engine/intake/intake.ts'
import { parseValue } from '../engine/intake/parse.ts'
import type { Quarantine, QuarantinedBody as StoredBody } from '../engine/intake/quarantine.ts'
import type { Incoming, IntakeResult } from '../engine/intake/result.ts'
import type { QuarantineBodies, Resubmission } from './deps.ts'

/** The kept bodies, and their way back through the intake. */
export function quarantineBodies(quarantine: Quarantine, intake: EngineIntake): QuarantineBodies {
  /** By id: two corrections of one body at the same time must not both get in. */
  const underWay = new Map<string, Promise<unknown>>()
  return {
    async open(quarantineId) {
      const stored = quarantine.get(quarantineId)
      return stored === undefined ? undefined : { bytes: stored.body, message: stored.message }
    },
    async resubmit(quarantineId, corrected) {
      while (underWay.has(quarantineId)) await underWay.get(quarantineId)?.catch(() => undefined)
      const submitted = submitKept(quarantine, intake, quarantineId, corrected)
      underWay.set(quarantineId, submitted)
      try {
        return await submitted
      } finally {
        underWay.delete(quarantineId)
      }
    },
  }
}

async function submitKept(
  quarantine: Quarantine,
  intake: EngineIntake,
  quarantineId: string,
  corrected: unknown | undefined,
): Promise<Resubmission> {
  const stored = quarantine.get(quarantineId)
  if (stored?.resubmitted !== undefined) return { _tag: 'AlreadyResubmitted' }
  const incoming = corrected === undefined ? keptEvent(stored) : { value: corrected }
  const result =
    stored === undefined || incoming === undefined
      ? undefined
      : await resubmit(quarantine, intake, stored, incoming)
  return result === undefined ? { _tag: 'NothingKept' } : { _tag: 'Submitted', result }
}

function keptEvent(stored: StoredBody | undefined): Incoming | undefined {
  const parsed = stored?.body === undefined ? undefined : parseValue(stored.body)
  return parsed !== undefined && E.isRight(parsed)
    ? { value: parsed.right, fallbackId: stored?.id }
    : undefined
}

async function resubmit(
  quarantine: Quarantine,
  intake: EngineIntake,
  stored: StoredBody,
  incoming: Incoming,
): Promise<IntakeResult | undefined> {
  const [result] = await intake.submit([incoming], { defaultSource: stored.source })
  if (result?.status !== 'appended' && result?.status !== 'duplicate') return result
  const { quarantineId } = stored
  const { position } = result
  const linked = await intake.record({
    type: 'event.resubmitted',
    // An id is never used for two contents, and a body may be corrected into more than one event over time.
    id: `resubmitted-${quarantineId}-${position}`,
    data: { quarantine_id: quarantineId, position },
  })
  // Unmarked it may be submitted again: that is then a duplicate, and gets its link.
  if (linked.status === 'appended' || linked.status === 'duplicate')
    await quarantine.markResubmitted(quarantineId)
  return result
}

const PAGE_ENTRIES = 256

/**
 * Events that were newer than the release that refused them are submitted again once this release knows their schema.
 * Answers how many are in the log now.
 */
export async function resubmitKnown(quarantine: Quarantine, intake: EngineIntake): Promise<number> {
  let taken = 0
  let before: { readonly received: number; readonly id: string } | undefined
  for (;;) {
    const page = quarantine.list({ reason: 'schema_newer', before, limit: PAGE_ENTRIES })
    const last = page.at(-1)
    if (last === undefined) return taken
    before = { received: last.received, id: last.quarantineId }
    for (const { quarantineId, type, resubmitted } of page) {
      if (resubmitted !== undefined || type === undefined) continue
      const result = await resubmitIfKnown(quarantine, intake, { quarantineId, type })
      if (result?.status === 'appended') taken += 1
    }
    // Pages without anything to submit never wait, and requests are answered meanwhile.
    await setImmediate()
  }
}

async function resubmitIfKnown(
  quarantine: Quarantine,
  intake: EngineIntake,
  entry: { readonly quarantineId: string; readonly type: string },
): Promise<IntakeResult | undefined> {
  const known = registry.find(entry.type)
  const stored = known === undefined ? undefined : quarantine.get(entry.quarantineId)
  const incoming = keptEvent(stored)
  if (stored === undefined || incoming === undefined || schemaOf(incoming) > (known?.schema ?? 0))
    return undefined
  return resubmit(quarantine, intake, stored, incoming)
}

function schemaOf(incoming: Incoming): number {
  const value = 'value' in incoming ? incoming.value : undefined
  return typeof value === 'object' && value !== null && 'schema' in value ? Number(value.schema) : 1
}
