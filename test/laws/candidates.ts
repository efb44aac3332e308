import * as fc from 'fast-check'
import type { Candidate, Ranking } from '../../engine/reducers/rule.ts'

/** Few values everywhere, so that most runs contain ties of every depth. Sources are not in the order of their case. */
const SOURCES = ['web', 'crm', 'CRM', 'erp', '__proto__'] as const

/**
 * Any writes: of several sources at one time, of one event several times, the same one again. Position and `basedOn`
 * follow from the event, as they do in a log.
 */
export function candidates<W>(write: fc.Arbitrary<W>): fc.Arbitrary<readonly Candidate<W>[]> {
  const one = fc
    .tuple(
      write,
      fc.integer({ min: -1, max: 2 }),
      fc.constantFrom(...SOURCES),
      fc.nat(1),
      fc.constantFrom('e1', 'e2', 'E3'),
    )
    .map(([value, time, source, sequence, id]): Candidate<W> => {
      const position = 1 + SOURCES.indexOf(source) * 100 + Number(id[1]) * 10 + sequence
      return [value, time, source, sequence, id, position, position - 1]
    })
  return fc.array(one, { maxLength: 12 })
}

/** Rankings in which sources share a priority too. */
export const rankings: fc.Arbitrary<Ranking> = fc
  .array(fc.nat(2), { minLength: SOURCES.length, maxLength: SOURCES.length })
  .map((priorities) => (source: string) => priorities[(SOURCES as readonly string[]).indexOf(source)] ?? 9)

/** Absent is no candidate; the others that folds must tell apart. */
export const texts: fc.Arbitrary<string | null> = fc.constantFrom(null, '', 'x', 'y', 'é')

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) deepFreeze(each)
  }
  return value
}
