import * as E from 'fp-ts/lib/Either.js'
import type { OrderRefusal, RebuildProgress, Rebuilt, Switched } from '../../engine/projector/versions.ts'

/** What is asked of the projector's thread about builds, and what it answers. */
export type AskedOrder =
  | { readonly kind: 'rebuild'; readonly projections: readonly string[] }
  | { readonly kind: 'switch' | 'rollback'; readonly projection: string }

/** `Ended`: the projector has stopped, or began again for want of room on the disk; what served serves. */
export type OrderFailure = OrderRefusal | { readonly _tag: 'Ended'; readonly why: string }

export type OrderOutcome = E.Either<OrderFailure, readonly Rebuilt[] | Switched>

export interface VersionOrderMessage {
  readonly kind: 'order'
  readonly id: number
  readonly order: AskedOrder
}

export type VersionAnswer =
  | { readonly kind: 'order_progress'; readonly id: number; readonly progress: RebuildProgress }
  | { readonly kind: 'ordered'; readonly id: number; readonly outcome: OrderOutcome }

export interface VersionOrders {
  rebuild(
    projections: readonly string[],
    onProgress: (progress: RebuildProgress) => void,
  ): Promise<E.Either<OrderFailure, readonly Rebuilt[]>>
  switchTo(kind: 'switch' | 'rollback', projection: string): Promise<E.Either<OrderFailure, Switched>>
}

interface Waiting {
  readonly onProgress: (progress: RebuildProgress) => void
  readonly done: (outcome: OrderOutcome) => void
}

/** Keeps orders to the projector's thread and its answers together. */
export function createVersionOrders(tell: (message: VersionOrderMessage) => void) {
  const waiting = new Map<number, Waiting>()
  let number = 0
  let ended: string | undefined

  function ask(order: AskedOrder, onProgress: Waiting['onProgress']): Promise<OrderOutcome> {
    if (ended !== undefined) return Promise.resolve(E.left({ _tag: 'Ended', why: ended }))
    const id = ++number
    const { promise, resolve } = Promise.withResolvers<OrderOutcome>()
    waiting.set(id, { onProgress, done: resolve })
    tell({ kind: 'order', id, order })
    return promise
  }

  const orders: VersionOrders = {
    async rebuild(projections, onProgress) {
      const outcome = await ask({ kind: 'rebuild', projections }, onProgress)
      if (E.isLeft(outcome)) return outcome
      if (!('length' in outcome.right)) throw new Error('the projector answered another question')
      return E.right(outcome.right)
    },
    async switchTo(kind, projection) {
      const outcome = await ask({ kind, projection }, () => undefined)
      if (E.isLeft(outcome)) return outcome
      if ('length' in outcome.right) throw new Error('the projector answered another question')
      return E.right(outcome.right)
    },
  }
  return {
    orders,
    answered(answer: VersionAnswer): void {
      const asked = waiting.get(answer.id)
      if (answer.kind === 'order_progress') {
        asked?.onProgress(answer.progress)
        return
      }
      waiting.delete(answer.id)
      asked?.done(answer.outcome)
    },
    /** Nothing is answered any more. */
    end(why: string): void {
      ended ??= why
      for (const { done } of waiting.values()) done(E.left({ _tag: 'Ended', why }))
      waiting.clear()
    },
  }
}
