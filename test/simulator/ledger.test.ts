/**
 * Theorem: the ledger counts, it doesn't assume: what was acknowledged is equal to the log exactly if every acknowledged
 * event stands in it once, at the position that the acknowledgement named. A lost, moved or repeated one is told; what is
 * in the log without having been acknowledged is no fault.
 */
import { describe, expect, it } from 'vitest'
import { isEqual, Ledger } from '../../bench/demo/ledger.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { anEvent, appends } from '../log/events.ts'

const ids = ['a', 'b', 'c', 'd']

async function logOf(...events: readonly { readonly id: string; readonly type?: string }[]) {
  const log = createMemoryLog()
  await log.append(appends(...events.map((each) => anEvent({ source: 'web', ...each }))))
  return log
}

function ledgerOf(acknowledged: readonly (readonly [id: string, position: number])[]): Ledger {
  const ledger = new Ledger()
  for (const [id, position] of acknowledged)
    ledger.note({ source: 'web', id }, { status: 'appended', position })
  return ledger
}

const all = ids.map((id, index) => [id, index + 1] as const)

describe('a count', () => {
  it('is equal when everything acknowledged is where it was said to be', async () => {
    const ledger = ledgerOf(all)
    ledger.note({ source: 'web', id: 'b' }, { status: 'duplicate', position: 2 })
    const count = await ledger.countIn(await logOf(...ids.map((id) => ({ id }))))
    expect(count).toEqual({ acknowledged: 4, inLog: 4, repeated: 0 })
    expect(isEqual(count)).toBe(true)
    expect(ledger.duplicates).toBe(1)
    expect(ledger.last).toBe(4)
  })

  it('does not mind what was never acknowledged: its answer was lost', async () => {
    const count = await ledgerOf(all.slice(0, 3)).countIn(await logOf(...ids.map((id) => ({ id }))))
    expect(count).toEqual({ acknowledged: 3, inLog: 3, repeated: 0 })
  })

  it('misses a lost one', async () => {
    const count = await ledgerOf(all).countIn(await logOf({ id: 'a' }, { id: 'b' }, { id: 'c' }))
    expect(count).toEqual({ acknowledged: 4, inLog: 3, repeated: 0 })
    expect(isEqual(count)).toBe(false)
  })

  it('misses one whose place another has', async () => {
    const count = await ledgerOf(all).countIn(await logOf({ id: 'a' }, { id: 'b' }, { id: 'x' }, { id: 'd' }))
    expect(isEqual(count)).toBe(false)
  })

  it('tells one that stands there twice', async () => {
    const events = [...ids, 'b'].map((id) => ({ id }))
    const count = await ledgerOf(all).countIn(await logOf(...events))
    expect(count).toEqual({ acknowledged: 4, inLog: 4, repeated: 1 })
    expect(isEqual(count)).toBe(false)
  })

  it('tells one source from another', async () => {
    const ledger = new Ledger()
    ledger.note({ source: 'erp', id: 'a' }, { status: 'appended', position: 1 })
    expect(isEqual(await ledger.countIn(await logOf({ id: 'a' })))).toBe(false)
  })

  it('counts a refused one that is kept by the event that tells of it, and no other', async () => {
    const ledger = ledgerOf([['a', 1]])
    ledger.note({ source: 'web', id: 'bad' }, { status: 'quarantined', position: 2 })
    const told = await logOf({ id: 'a' }, { id: 'q', type: 'event.quarantined' })
    expect(await ledger.countIn(told)).toEqual({ acknowledged: 2, inLog: 2, repeated: 0 })
    expect(isEqual(await ledger.countIn(await logOf({ id: 'a' }, { id: 'q' })))).toBe(false)
  })

  it('is of nothing where everything was refused', async () => {
    const ledger = new Ledger()
    ledger.note({ source: 'web', id: 'a' }, { status: 'refused', position: 0 })
    expect(await ledger.countIn(await logOf())).toEqual({ acknowledged: 0, inLog: 0, repeated: 0 })
  })
})
