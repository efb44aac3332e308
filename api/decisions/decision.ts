import * as E from 'fp-ts/lib/Either.js'
import { parseInstant } from '../../engine/events/instant.ts'
import { formatMoney } from '../../engine/events/money.ts'
import type { DecisionType } from '../../projections/governed.ts'
import type { GovernedView } from '../../projections/governed-views.ts'

/** What a steward wants decided, as stated over HTTP. */
export interface StatedDecision {
  readonly type: DecisionType
  readonly view: string
  readonly field: string
  readonly steward: string
  readonly reason: string | undefined
  /** undefined: none is stated. */
  readonly value: unknown
  /** Of a lock; undefined: until it is lifted. */
  readonly expiresAt: string | undefined
}

export type DecisionRefusal =
  | { readonly _tag: 'UnknownView'; readonly message: string }
  | { readonly _tag: 'UnknownField'; readonly message: string }
  | { readonly _tag: 'NotResolvable'; readonly message: string }
  | { readonly _tag: 'WrongValue'; readonly message: string }
  | { readonly _tag: 'WrongExpiry'; readonly message: string }

/** The view that a decision is about, if it can be made there. */
export function checkDecision(
  stated: StatedDecision,
  views: readonly GovernedView[],
): E.Either<DecisionRefusal, GovernedView> {
  const view = views.find((each) => each.view === stated.view)
  if (view === undefined) {
    const message = `Decisions can be made in ${views.map((each) => each.view).join(', ')}.`
    return E.left({ _tag: 'UnknownView', message })
  }
  if (!view.isDecidable(stated.field)) {
    const message = `A steward can decide ${[...view.fields.keys()].join(', ')}.`
    return E.left({ _tag: 'UnknownField', message })
  }
  if (stated.type === 'conflict.resolved' && view.fields.get(stated.field)?.isResolvable === false) {
    const message = 'No single write wins this field, so none can be overruled; it can be locked.'
    return E.left({ _tag: 'NotResolvable', message })
  }
  if (stated.value !== undefined && view.read(stated.field, stated.value) === undefined) {
    const type = view.fields.get(stated.field)?.type ?? 'json'
    return E.left({ _tag: 'WrongValue', message: `The field can't hold that: it is of the type ${type}.` })
  }
  if (Number.isInteger(stated.value) && !Number.isSafeInteger(stated.value)) {
    const message = 'An integer beyond 2^53 may have been changed on its way here: state it as text.'
    return E.left({ _tag: 'WrongValue', message })
  }
  const { expiresAt } = stated
  if (expiresAt !== undefined && (stated.type !== 'field.locked' || parseInstant(expiresAt) === undefined)) {
    return E.left({ _tag: 'WrongExpiry', message: 'expires_at is an RFC 3339 instant, and only of a lock.' })
  }
  return E.right(view)
}

/** A field's value as a decision states it, which is how it is shown: amounts are written out. */
export function statedValue(view: GovernedView, field: string, held: unknown): unknown {
  return view.fields.get(field)?.type === 'money' && typeof held === 'number' ? formatMoney(held) : held
}

/** The event's data. */
export function decisionData(
  stated: StatedDecision,
  key: string | undefined,
): Readonly<Record<string, unknown>> {
  const { view, field, steward, reason, value, expiresAt } = stated
  return {
    view,
    ...(key === undefined ? {} : { key }),
    field,
    steward,
    ...(reason === undefined ? {} : { reason }),
    ...(value === undefined ? {} : { value }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
  }
}
