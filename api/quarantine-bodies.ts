import * as E from 'fp-ts/lib/Either.js'
import { registry } from '../engine/events/registry.ts'
import type { EngineIntake } from '../engine/intake/intake.ts'
import { parseValue } from '../engine/intake/parse.ts'
import type { Quarantine, QuarantinedBody as StoredBody } from '../engine/intake/quarantine.ts'
import type { Incoming, IntakeResult } from '../engine/intake/result.ts'
import type { QuarantineBodies } from './deps.ts'

/** The kept bodies, and their way back through the intake. */
export function quarantineBodies(quarantine: Quarantine, intake: EngineIntake): QuarantineBodies {
  return {
    async open(quarantineId) {
      const bytes = quarantine.get(quarantineId)?.body
      return bytes === undefined ? undefined : { bytes }
    },
    async resubmit(quarantineId, corrected) {
      const stored = quarantine.get(quarantineId)
      if (stored === undefined) return undefined
      const incoming = corrected === undefined ? keptEvent(stored) : { value: corrected }
      return incoming === undefined ? undefined : resubmit(quarantine, intake, stored, incoming)
    },
  }
}

function keptEvent(stored: StoredBody): Incoming | undefined {
  const parsed = stored.body === undefined ? undefined : parseValue(stored.body)
  return parsed !== undefined && E.isRight(parsed)
    ? { value: parsed.right, fallbackId: stored.id }
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
  await intake.record({
    type: 'event.resubmitted',
    id: `resubmitted-${quarantineId}`,
    data: { quarantine_id: quarantineId, position: result.position },
  })
  await quarantine.markResubmitted(quarantineId)
  return result
}

/** Resubmitted in one start at most; the rest waits for the next. */
const MAX_WAITING = 10_000

/**
 * Events that were newer than the release that refused them are submitted again once this release knows their schema.
 * Answers how many are in the log now.
 */
export async function resubmitKnown(quarantine: Quarantine, intake: EngineIntake): Promise<number> {
  let taken = 0
  for (const entry of quarantine.list({ reason: 'schema_newer', limit: MAX_WAITING })) {
    const known = entry.type === undefined ? undefined : registry.find(entry.type)
    const stored =
      entry.resubmitted === undefined && known !== undefined ? quarantine.get(entry.quarantineId) : undefined
    const incoming = stored === undefined ? undefined : keptEvent(stored)
    if (stored === undefined || incoming === undefined || schemaOf(incoming) > (known?.schema ?? 0)) continue
    const result = await resubmit(quarantine, intake, stored, incoming)
    if (result?.status === 'appended') taken += 1
  }
  return taken
}

function schemaOf(incoming: Incoming): number {
  const value = 'value' in incoming ? incoming.value : undefined
  return typeof value === 'object' && value !== null && 'schema' in value ? Number(value.schema) : 1
}
