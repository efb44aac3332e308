import type { IdentityId } from '../engine/events/identity.ts'
import type { Erased } from '../engine/projector/erasing.ts'
import { ErasureHeldUp } from './erasure/held-up.ts'
import type { ErasingOrder, ProjectorMessage } from './projector-thread.ts'

/** What an erasure asks of the read models; both reject with `ErasureHeldUp` once the projector has stopped. */
export interface ErasingReads {
  /** Their keys are destroyed; resolves when the projector has forgotten what it had cached of them. */
  forget(owners: readonly IdentityId[]): Promise<void>
  /** See `Projector.erase`. */
  erase(positions: readonly number[]): Promise<Erased>
}

type Waiting = {
  readonly resolve: (erased: Erased | undefined) => void
  readonly reject: (why: Error) => void
}

/** Keeps orders to the projector's thread and its answers together. */
export function createErasingReads(tell: (order: ErasingOrder) => void) {
  const waiting = new Map<number, Waiting>()
  let number = 0
  let ended: Error | undefined

  function order(make: (id: number) => ErasingOrder): Promise<Erased | undefined> {
    if (ended !== undefined) return Promise.reject(ended)
    const id = ++number
    const { promise, resolve, reject } = Promise.withResolvers<Erased | undefined>()
    waiting.set(id, { resolve, reject })
    tell(make(id))
    return promise
  }

  function settle(id: number, erased: Erased | undefined): void {
    waiting.get(id)?.resolve(erased)
    waiting.delete(id)
  }

  const reads: ErasingReads = {
    async forget(owners) {
      await order((id) => ({ kind: 'forget', id, owners }))
    },
    async erase(positions) {
      const erased = await order((id) => ({ kind: 'erase', id, positions }))
      if (erased === undefined) throw new Error('the projector answered another question')
      return erased
    },
  }
  return {
    reads,
    answered(message: Extract<ProjectorMessage, { kind: 'forgot' | 'erased' }>): void {
      settle(message.id, message.kind === 'erased' ? message.erased : undefined)
    },
    /** Nothing is answered any more. */
    end(why: string): void {
      ended ??= new ErasureHeldUp(why)
      for (const { reject } of waiting.values()) reject(ended)
      waiting.clear()
    },
  }
}
