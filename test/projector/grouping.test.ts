/** Theorem: however atoms come in parts, each profile that they belong to is met once, and no other. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { profilesIn } from '../../engine/projector/grouping.ts'

test('each profile is met once, in order within its part', () => {
  const memberships = fc.array(fc.nat(6), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(memberships, fc.integer({ min: 1, max: 8 }), (profileOfAtom, size) => {
      const atoms = profileOfAtom.map((_, n) => `atom${n}`)
      const profileOf = (atom: string): string => `profile${profileOfAtom[Number(atom.slice(4))]}`
      const membersOf = (profile: string): readonly string[] =>
        atoms.filter((atom) => profileOf(atom) === profile)
      const parts: string[][] = []
      for (let from = 0; from < atoms.length; from += size) parts.push(atoms.slice(from, from + size))
      const met = [...profilesIn(parts, { profileOf, membersOf })]
      for (const part of met) expect(part).toEqual([...part].sort())
      expect(met.flat().sort()).toEqual([...new Set(atoms.map(profileOf))].sort())
    }),
    { numRuns: 100 },
  )
})
