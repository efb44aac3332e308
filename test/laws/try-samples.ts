import fc from 'fast-check'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { checkLaws, LawBroken, type LawName, type Sample } from './projection-laws.ts'
import { lawsOf } from './which-laws.ts'

/** How samples of a projection fared. */
export interface Tried {
  readonly samples: number
  /** undefined: none broke a law. */
  readonly broken: { readonly law: LawName; readonly sample: Sample; readonly error: LawBroken } | undefined
}

/** Tries so many samples, and makes one that breaks a law as small as it can. `kept` is told of those that keep them all. */
export function trySamples(
  projection: AnyProjection,
  samples: fc.Arbitrary<Sample>,
  how: { readonly numRuns: number; readonly seed?: number },
  kept: (sample: Sample) => void = () => undefined,
): Tried {
  const laws = lawsOf(projection)
  const property = fc.property(samples, (sample) => {
    checkLaws(projection, sample, laws)
    kept(sample)
  })
  const { failed, numRuns, counterexample, errorInstance } = fc.check(property, how)
  if (!failed) return { samples: numRuns, broken: undefined }
  const sample = counterexample?.[0]
  if (!(errorInstance instanceof LawBroken) || sample === undefined) throw errorInstance
  return { samples: numRuns, broken: { law: errorInstance.law, sample, error: errorInstance } }
}
