// Under any order of holding and letting go, what is under way is found by its source and id, and nothing else is.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Accepted } from '../../engine/intake/decider.ts'
import { Entry, isAccepted } from '../../engine/intake/entry.ts'
import { UnderWay } from '../../engine/intake/under-way.ts'

const SOURCES = ['web', 'crm', 'erp'] as const
const IDS = ['a', 'b'] as const

function entryOf(source: string, id: string): Entry {
  const decided: Accepted = {
    kind: 'accepted',
    envelope: {
      id,
      source,
      type: 'thing.done',
      schema: 1,
      subject: undefined,
      time: undefined,
      sent: undefined,
      sequence: undefined,
      identities: [],
      actor: undefined,
      origin: undefined,
      causation: undefined,
      correlation: undefined,
      basedOn: undefined,
      expected: undefined,
      data: {},
    },
    definition: undefined,
    normalised: {},
    identities: [],
    blocked: [],
    known: [],
    erasures: 0,
    clear: undefined,
    defaults: {},
    quarantined: undefined,
    incoming: { value: {} },
    sizeBytes: 0,
  }
  return new Entry(decided, { results: [], left: 1, epoch: 0, startMs: 0, resolve: () => {} }, 0)
}

test('holds and lets go like a map by source and id', () => {
  const key = fc.tuple(fc.constantFrom(...SOURCES), fc.constantFrom(...IDS))
  fc.assert(
    fc.property(fc.array(key, { maxLength: 30 }), (keys) => {
      const underWay = new UnderWay()
      const model = new Map<string, Entry>()
      for (const [source, id] of keys) {
        const name = `${source} ${id}`
        const held = model.get(name)
        if (held === undefined) {
          const entry = entryOf(source, id)
          if (!isAccepted(entry)) throw new Error('it is accepted')
          underWay.hold(entry)
          model.set(name, entry)
        } else {
          underWay.release(held)
          underWay.release(held)
          model.delete(name)
        }
        for (const s of SOURCES) {
          for (const i of IDS) expect(underWay.find(s, i)).toBe(model.get(`${s} ${i}`))
        }
      }
    }),
    { numRuns: 300 },
  )
})
