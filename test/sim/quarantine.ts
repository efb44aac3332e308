import { createHash } from 'node:crypto'
import * as E from 'fp-ts/lib/Either.js'
import type { Kept, Quarantine, QuarantinedBody, Refusable } from '../../engine/intake/quarantine.ts'

type Bodies = Map<string, QuarantinedBody>

/**
 * Quarantine over what a disk holds. `written` stands for a write: what it resolves after is durable; a life that has
 * ended never hears of it.
 */
export function simulatedQuarantine(bodies: Bodies, written: () => Promise<void>): Quarantine {
  return {
    async put(batch) {
      await written()
      return batch.map((item) => E.right(keep(bodies, item)))
    },
    get: (id) => bodies.get(id),
    list: () => [...bodies.values()],
    async markResubmitted(id) {
      return E.right(bodies.has(id))
    },
    async expire() {
      return E.right({ days: 0 })
    },
    async forget(names, since = 0) {
      await written()
      const named = [...bodies.values()].filter((kept) => kept.received >= since && names(kept))
      for (const { quarantineId } of named) bodies.delete(quarantineId)
      return E.right({ bodies: named.length, purged: true })
    },
    usedBytes: 0,
    async close() {},
  }
}

/** The same refusal of the same body has the same id all day. */
function keep(bodies: Bodies, item: Refusable): Kept {
  const { body, reason, message, source, id, type, received } = item
  const day = new Date(received).toISOString().slice(0, 10)
  const hash = createHash('sha256').update(day).update(body).digest('hex')
  const names = JSON.stringify([hash, source, reason, id, type, message])
  const quarantineId = createHash('sha256').update(names).digest('hex').slice(0, 32)
  const entry = { quarantineId, hash, day, reason, message, source, received, sizeBytes: body.length }
  if (!bodies.has(quarantineId))
    bodies.set(quarantineId, { ...entry, id, type, body, resubmitted: undefined })
  return { quarantineId, hash }
}
