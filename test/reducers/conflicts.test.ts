// Theorem: two claims of different values by different sources conflict exactly when neither had seen the other: by what
// the later in the log says it had seen, else by the window. Decisions settle what is not newer than they are.
import { describe, expect, test } from 'vitest'
import { UNIFORM } from '../../engine/reducers/candidate.ts'
import { areConcurrent, conflictOf } from '../../engine/reducers/conflicts.ts'
import type { DecisionWrite } from '../../engine/reducers/decisions.ts'
import { governed } from '../../engine/reducers/governed.ts'
import { latest, review } from '../../engine/reducers/latest.ts'
import type { Candidate } from '../../engine/reducers/rule.ts'

const HOUR = 3_600_000

interface Claim {
  readonly source: string
  readonly hour: number
  readonly position: number
  readonly basedOn?: number
}
const claim = ({ source, hour, position, basedOn = 0 }: Claim): Candidate<string> => [
  ...(['x', hour * HOUR, source, 0, `e${position}`, position, basedOn] as const),
]

describe('who has seen what', () => {
  const a = claim({ source: 'a', hour: 0, position: 10 })
  test.each([
    ['within the window, nothing stated', { hour: 1, position: 20 }, true],
    ['at its very end', { hour: 2, position: 20 }, true],
    ['beyond it', { hour: 3, position: 20 }, false],
    ['had seen it', { hour: 1, position: 20, basedOn: 10 }, false],
    ['had seen more', { hour: 1, position: 20, basedOn: 15 }, false],
    ['had not, though long after', { hour: 99, position: 20, basedOn: 9 }, true],
    ['earlier in the log, nothing stated by the later', { hour: 1, position: 5, basedOn: 4 }, true],
  ])('%s', (_, other, concurrent) => {
    const b = claim({ source: 'b', ...other })
    expect(areConcurrent(a, b, 2 * HOUR)).toBe(concurrent)
    expect(areConcurrent(b, a, 2 * HOUR)).toBe(concurrent)
  })
})

describe('a field', () => {
  const field = governed({ field: latest<unknown>() }, (_, value) => value)
  type State = typeof field.initial
  const write = (state: State, source: string, hour: number, value: unknown, basedOn?: number): State =>
    field.writeAll(
      state,
      { time: hour * HOUR, source, id: `${source}${hour}`, position: hour + 1, basedOn },
      {
        field: value,
      },
    )
  const decide = (
    state: State,
    act: DecisionWrite['act'],
    hour: number,
    value: DecisionWrite['value'],
  ): State => {
    const event = { time: hour * HOUR, source: 'steward', id: `s${hour}`, position: hour + 1 }
    return field.decide(state, event, { field: 'field', act, value, by: 'Kim', reason: null, expires: null })
  }
  const asItIs = (value: unknown) => value
  const found = (state: State, windowHours = 24, rule = latest<unknown>(), read = asItIs) => {
    const kept = field.get(state, 'field') ?? []
    const windowMs = windowHours * HOUR
    return conflictOf({ name: 'field', rule, kept, windowMs, read }, field.decisions(state))
  }
  const two = write(write(field.initial, 'a', 1, 'x'), 'b', 2, 'y')

  test('is open while two sources claim different values', () => {
    expect(found(two)).toMatchObject({ status: 'open', since: 2 * HOUR })
    expect(found(two)?.candidates.map(([value]) => value)).toEqual(['y', 'x'])
  })

  test('is none where they agree, where one source changed its mind, or out of the window', () => {
    expect(found(write(two, 'a', 3, 'y'))).toBeUndefined()
    expect(found(write(write(field.initial, 'a', 1, 'x'), 'a', 2, 'y'))).toBeUndefined()
    expect(found(write(two, 'b', 40, 'y'))).toBeUndefined()
  })

  test('null, blank and values are different claims', () => {
    const values = [null, '', 'x', { street: 'x' }]
    for (const one of values) {
      for (const other of values) {
        const both = write(write(field.initial, 'a', 1, one), 'b', 2, other)
        expect(found(both) === undefined).toBe(one === other)
      }
    }
  })

  test('is resolved by a decision, and open again by what comes later', () => {
    const resolved = decide(two, 'resolved', 3, ['x'])
    expect(found(resolved)).toMatchObject({ status: 'resolved', since: 3 * HOUR })
    expect(found(write(resolved, 'b', 4, 'x'))).toMatchObject({ status: 'resolved' })
    expect(found(write(resolved, 'b', 4, 'z'))).toMatchObject({ status: 'open', since: 4 * HOUR })
    // It had seen the decision, and says otherwise on purpose.
    expect(found(write(resolved, 'b', 5, 'z', 4))).toMatchObject({ status: 'resolved' })
  })

  test('is resolved while it is locked', () => {
    const locked = decide(two, 'locked', 3, ['z'])
    expect(found(write(locked, 'b', 4, 'w'))).toMatchObject({ status: 'resolved' })
    expect(found(decide(locked, 'unlocked', 5, []))).toMatchObject({ status: 'open' })
  })

  test('under review every difference counts, however old', () => {
    expect(found(write(two, 'b', 9_000, 'y'), 24, review<unknown>())).toMatchObject({ status: 'review' })
  })

  test('under review a lock settles differences as old as that', () => {
    const apart = write(two, 'b', 9_000, 'y')
    expect(found(decide(apart, 'locked', 9_001, ['x']), 24, review<unknown>())).toMatchObject({
      status: 'resolved',
    })
  })

  test('a decided value is compared as the field holds it', () => {
    const inCents = (value: unknown) => (typeof value === 'string' ? Number(value) * 100 : undefined)
    const amounts = write(write(field.initial, 'a', 1, 1250), 'b', 2, 1350)
    const resolved = decide(amounts, 'resolved', 3, ['12.75'])
    const confirmed = write(resolved, 'b', 4, 1275)
    expect(found(confirmed, 24, latest<unknown>(), inCents)).toMatchObject({ status: 'resolved' })
    const denied = found(write(resolved, 'b', 4, 1300), 24, latest<unknown>(), inCents)
    expect(denied?.candidates.map(([value]) => value)).toEqual([1300, 1275])
  })

  test.each(['resolved', 'locked'] as const)('is not %s by a value that it can’t hold', (act) => {
    const decided = decide(two, act, 3, [{ no: 'text' }])
    const texts = (value: unknown) => (typeof value === 'string' ? value : undefined)
    expect(found(decided, 24, latest<unknown>(), texts)).toMatchObject({ status: 'open' })
  })

  test('its value goes on being the rule’s', () => {
    expect(field.values(two, UNIFORM).field).toBe('y')
  })
})
