import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ErasingKeyStore, KeyClass } from '../../engine/privacy/privacy.ts'

/** A key store and a hand on what it writes. */
export interface Harness {
  readonly store: ErasingKeyStore
  /** Lets the oldest write under way, if there is one, come to its end. */
  pass(): void
}

const context = { source: 'web', id: 'e-1', type: 'cdp.identify' }

type Step =
  | { readonly kind: 'identify' | 'destroyOwner'; readonly person: number }
  | { readonly kind: 'seal' | 'destroyKey'; readonly person: number; readonly retention: KeyClass }
  | { readonly kind: 'flush' | 'pass' }

const person = fc.nat({ max: 1 })
const retention = fc.constantFrom<KeyClass>('profile', 'behaviour')
const seal = fc.record({ kind: fc.constant('seal' as const), person, retention })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('identify' as const), person }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('destroyOwner' as const), person }) },
  { weight: 3, arbitrary: seal },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('destroyKey' as const), person, retention }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const) }) },
)

interface ModelPart {
  readonly keyId: string
  readonly blob: Uint8Array
  readonly owner: string
  readonly retention: KeyClass
  alive: boolean
}

/** What a plain list of people and parts says the store should answer. */
class Model {
  readonly ids = new Map<number, string>()
  readonly parts: ModelPart[] = []
  readonly erased = new Set<number>()

  kill(owner: string, retention?: KeyClass): void {
    for (const part of this.parts) {
      if (part.owner === owner && (retention === undefined || part.retention === retention))
        part.alive = false
    }
  }
}

/**
 * Whatever is written, under way or only asked for, the store answers as if all of it were done. Caches of two entries
 * make it look into its tables.
 */
export function againstAModel(name: string, open: (cacheEntries: number) => Harness, numRuns: number): void {
  test(`${name} answers as a plain model does, whatever is on its way to the disk`, async () => {
    const steps = fc.array(step, { minLength: 10, maxLength: 40, size: 'max' })
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(2, 1_000), async (sequence, cacheEntries) => {
        const { store, pass } = open(cacheEntries)
        const model = new Model()
        const underWay: Promise<void>[] = []
        for (const one of sequence) {
          take(store, model, one, underWay)
          if (one.kind === 'pass') pass()
          if (one.kind === 'pass' || one.kind === 'flush') await turn()
          compare(store, model)
        }
        await finish(store, pass, underWay)
        compare(store, model)
        await store.close()
      }),
      { numRuns },
    )
  })
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function finish(
  store: ErasingKeyStore,
  pass: () => void,
  underWay: readonly Promise<void>[],
): Promise<void> {
  let done = false
  const all = Promise.all([...underWay, store.flush()]).finally(() => {
    done = true
  })
  while (!done) {
    pass()
    await turn()
  }
  await all
}

function stated(person: number) {
  return { namespace: 'user', value: `person ${person}` }
}

function take(store: ErasingKeyStore, model: Model, step: Step, underWay: Promise<void>[]): void {
  const owner = 'person' in step ? model.ids.get(step.person) : undefined
  switch (step.kind) {
    case 'identify': {
      const id = store.identify(stated(step.person))
      expect(id).toBe(owner ?? id)
      model.ids.set(step.person, id)
      return
    }
    case 'seal': {
      if (owner === undefined) return
      const part = store.seal(owner, step.retention, new Uint8Array([1]), context)
      model.parts.push({ ...part, owner, retention: step.retention, alive: true })
      return
    }
    case 'destroyKey':
      if (owner === undefined) return
      underWay.push(store.destroyKey(owner, step.retention))
      model.kill(owner, step.retention)
      return
    case 'destroyOwner':
      if (owner === undefined) return
      underWay.push(store.destroyOwner([owner]))
      model.kill(owner)
      model.ids.delete(step.person)
      model.erased.add(step.person)
      return
    case 'flush':
      underWay.push(store.flush())
      return
    case 'pass':
      return
  }
}

function compare(store: ErasingKeyStore, model: Model): void {
  for (const person of [0, 1]) {
    const { namespace, value } = stated(person)
    expect(store.find(namespace, value)).toBe(model.ids.get(person))
    expect(store.suppressed(stated(person))).toBe(model.erased.has(person) && !model.ids.has(person))
  }
  for (const part of model.parts) expect(store.open(part, context) !== undefined).toBe(part.alive)
}
