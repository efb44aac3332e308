import { newer, older } from './candidate.ts'
import { choice, type Kept, type Scalar } from './choice.ts'
import type { Rule } from './rule.ts'

/** The newest write by event time, a removal or a blank included. */
export function latest<V = Scalar>(): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('latest', newer)
}

/** The oldest write by event time. */
export function first<V = Scalar>(): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('first', older)
}
