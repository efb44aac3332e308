// Theorem: whether a value stands for nobody is what the lists say of the whole value, however it begins and ends.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BlockedLists } from '../../engine/events/blocked-values.ts'
import { BLOCKED_VALUES, blockedValues, SHARED_MAILBOXES } from '../../engine/events/blocked-values.ts'

const LOCALS = ['test', 'example', 'noemail', 'foo', 'a', 'user']

/** Values as the lists know them, on their own terms, without a look at how they begin and end. */
function isListed({ values }: BlockedLists, value: string): boolean {
  return /^[0\-_ ]+$/.test(value) || (value.length <= 64 && values.includes(value.trim().toLowerCase()))
}

const word = fc.oneof(
  fc.constantFrom(...BLOCKED_VALUES),
  fc.string({ maxLength: 4 }),
  fc.string({ unit: 'grapheme', maxLength: 3 }),
  fc.constantFrom('', 'K', 'ſ', 'straße', 'ÉCOLE', 'İ', 'é', '0-0', '\u0085x', 'x\u00a0'),
)
const around = fc.constantFrom('', ' ', '\t', '\u00a0', '\ufeff', '0', 'x')
const value = fc.tuple(around, word, around, fc.boolean()).map(([before, text, after, isUpper]) => {
  const whole = `${before}${text}${after}`
  return isUpper ? whole.toUpperCase() : whole
})

test('values of user ids and the like', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), value, (own, stated) => {
      for (const values of [BLOCKED_VALUES, own]) {
        const lists = { values, mailboxes: SHARED_MAILBOXES }
        const expected = isListed(lists, stated) ? 'nobody' : undefined
        expect(blockedValues(lists).verdict({ namespace: 'user', value: stated })).toBe(expected)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('every listed value, in upper case and with blanks around, stands for nobody', () => {
  const { verdict } = blockedValues({ values: BLOCKED_VALUES, mailboxes: SHARED_MAILBOXES })
  for (const listed of BLOCKED_VALUES)
    for (const stated of [listed, listed.toUpperCase(), ` ${listed}\t`])
      expect(verdict({ namespace: 'anonymous', value: stated })).toBe('nobody')
})

test('addresses by their local part, as it is written', () => {
  const local = fc.oneof(
    fc.constantFrom(...SHARED_MAILBOXES, ...LOCALS, 'null'),
    fc.string({ maxLength: 5 }).map((text) => text.replaceAll(/[@\s]/g, '')),
    fc.constantFrom('', 'Info', 'INFO', 'info ', 'ıinfo', 'josé', 'INFOs'),
  )
  fc.assert(
    fc.property(local, fc.constantFrom('example.com', 'test.com', 'null.org'), (name, domain) => {
      const lists = { values: BLOCKED_VALUES, mailboxes: SHARED_MAILBOXES }
      const address = `${name}@${domain}`
      const isPlaceholder =
        (LOCALS.includes(name) || BLOCKED_VALUES.includes(name)) && domain.split('.', 1)[0] === name
      const shared = SHARED_MAILBOXES.includes(name) ? 'shared' : undefined
      const found = blockedValues(lists).verdict({ namespace: 'email', value: address })
      expect(found).toBe(isPlaceholder ? 'nobody' : shared)
    }),
    { numRuns: 1_000 },
  )
})
