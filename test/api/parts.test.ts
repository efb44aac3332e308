import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { callable } from '../../api/page-address.ts'
import { decodeHeader } from '../../api/routes/cloud-events.ts'
import { queryPairs, separated } from '../../api/routes/query.ts'
import { readTimeline } from '../../api/routes/timeline.ts'
import { arrayLog } from './array-log.ts'
import { identityId } from './world.ts'

// Theorem: what a caller can write comes back as written (queries, lists, headers); a timeline is the sorted union of
// its identities' events whatever the pages.

const text = fc.string({ unit: 'grapheme' })

describe('queries', () => {
  it('give back every name and value that was encoded', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 20 }), (pairs) => {
        const query = pairs
          .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
          .join('&')
        expect(queryPairs(`/x?${query}`)).toEqual(pairs)
      }),
      { numRuns: 200 },
    )
  })

  it('lists give back every value, commas and backslashes included', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 10 }), (values) => {
        const written = values.map((value) => value.replaceAll('\\', '\\\\').replaceAll(',', '\\,')).join(',')
        expect(separated(written)).toEqual(values)
      }),
      { numRuns: 300 },
    )
  })

  it('too many parameters are refused', () => {
    expect(() => queryPairs(`/x?${'a=1&'.repeat(201)}`)).toThrow()
  })
})

it('headers give back every text that was percent-encoded', () => {
  fc.assert(
    fc.property(text, (value) => {
      expect(decodeHeader(encodeURIComponent(value))).toBe(value)
    }),
    { numRuns: 300 },
  )
})

it("a timeline is the sorted union of its identities' events", async () => {
  const ids = [identityId(1), identityId(2), identityId(3)]
  const arbitrary = fc.tuple(
    fc.array(fc.subarray(ids), { maxLength: 30 }),
    fc.integer({ min: 1, max: 7 }),
    fc.subarray(ids, { minLength: 1 }),
  )
  await fc.assert(
    fc.asyncProperty(arbitrary, async ([events, limit, wanted]) => {
      const log = arrayLog(3)
      for (const named of events) log.push({ identities: named.map((id) => ({ id, namespace: 'user' })) })
      const expected = events
        .map((named, index) => (named.some((id) => wanted.includes(id)) ? index + 1 : 0))
        .filter((position) => position > 0)
        .reverse()
      const seen: number[] = []
      let from: number | undefined = log.head().position
      while (from !== undefined) {
        const page: Awaited<ReturnType<typeof readTimeline>> = await readTimeline(log, wanted, {
          from,
          limit,
        })
        seen.push(...page.events.map(({ position }) => position))
        from = page.next
      }
      expect(seen).toEqual(expected)
    }),
    { numRuns: 100 },
  )
})

it('an address on every interface is shown as one that can be called', () => {
  expect(callable('http://[::]:7070')).toBe('http://[::1]:7070')
  for (const address of ['http://127.0.0.1:7070', 'http://[::1]:7070', 'http://[fe80::]:7070']) {
    expect(callable(address)).toBe(address)
  }
})
