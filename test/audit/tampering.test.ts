// Theorem: whoever changes the log behind the engine's back, with every checksum made right again, is found out: the
// engine signs no further tree head, and names place and both heads; reading the whole log against a tree head kept
// elsewhere names the first event that differs. The log is one that nobody changed, as long as nobody does.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AuditRefusal } from '../../engine/audit/audit.ts'
import { type CheckReport, checkLogAgainstHeads, isSound } from '../../engine/audit/check.ts'
import { parseVerifierKey } from '../../engine/audit/verify.ts'
import { forge, moved } from './forger.ts'
import { AuditWorld, anyEvents, OTHER_SIGNER, SIGNER } from './world.ts'

const EVENTS = 600
/** In the last bundle, which every start compares; and far before it. */
const LATE = 580
const EARLY = 100

let world: AuditWorld
let outside: string

beforeEach(async () => {
  world = new AuditWorld()
  await world.append(...anyEvents(EVENTS))
  outside = (await world.auditUntil(EVENTS))?.note ?? ''
  await world.stop()
})
afterEach(() => world.close())

function check(rangePositions?: number): Promise<CheckReport> {
  return checkLogAgainstHeads({
    rangePositions,
    ...{ logDirectory: world.logDirectory, auditDirectory: world.auditDirectory },
    ...{ outside: [outside], key: parseVerifierKey(SIGNER.verifierKey) },
  })
}

/** What a start on the changed log comes to. */
async function refusal(): Promise<AuditRefusal> {
  const signedBefore = world.heads.length
  await world.auditUntil(EVENTS + 1)
  await world.settled()
  const refused = world.refusals.at(-1)
  if (refused === undefined) throw new Error('it was not refused')
  expect(world.heads.slice(signedBefore).filter(({ size }) => size > EVENTS)).toEqual([])
  expect(refused.signed).toBe(outside)
  return refused
}

function flipBit(blocks: Buffer[], position: number): Buffer[] {
  const block = blocks[position - 1] ?? Buffer.alloc(0)
  const at = block.length - 1
  block[at] = (block[at] ?? 0) ^ 1
  return blocks
}

test('nothing was changed: both find nothing, and signing goes on', async () => {
  expect(isSound(await check())).toBe(true)
  await world.append(...anyEvents(10, EVENTS))
  expect((await world.auditUntil(EVENTS + 10))?.size).toBe(EVENTS + 10)
  expect(world.refusals).toEqual([])
})

const changes: Readonly<Record<string, { place: number; change: (blocks: Buffer[]) => readonly Buffer[] }>> =
  {
    'a flipped bit in an event': { place: LATE, change: (blocks) => flipBit(blocks, LATE) },
    'a removed event': { place: LATE, change: (blocks) => blocks.filter((_, i) => i !== LATE - 1) },
    'a removed event, those after it moved up': {
      place: LATE,
      change: (blocks) => blocks.filter((_, i) => i !== LATE - 1).map((block, i) => moved(block, i + 1)),
    },
    'two swapped events': {
      place: LATE,
      change: (blocks) => {
        const [a, b] = [blocks[LATE - 1] ?? Buffer.alloc(0), blocks[LATE] ?? Buffer.alloc(0)]
        return blocks
          .with(LATE - 1, b)
          .with(LATE, a)
          .map((block, i) => moved(block, i + 1))
      },
    },
  }

describe('a change among the newest events', () => {
  for (const [what, { place, change }] of Object.entries(changes)) {
    test(`${what}: no tree head is signed any more, and the place is told`, async () => {
      forge(world.logDirectory, change)
      const refused = await refusal()
      expect(refused.position).toBe(place)
      expect(refused.found?.root).not.toEqual(world.heads.at(-1)?.root)
      const report = await check()
      expect(isSound(report)).toBe(false)
      expect(report.difference?.position).toBe(place)
    })
  }
})

describe('a change long ago', () => {
  test('is found by reading the whole log', async () => {
    forge(world.logDirectory, (blocks) => flipBit(blocks, EARLY))
    const report = await check()
    expect(isSound(report)).toBe(false)
    expect(report.difference?.position).toBe(EARLY)
    expect(report.heads.every(({ problem }) => problem !== undefined)).toBe(true)
  })

  test('is found by asking for its proof, which ends signing', async () => {
    forge(world.logDirectory, (blocks) => flipBit(blocks, EARLY))
    await world.auditUntil(EVENTS)
    await expect(world.auditor.prover.proveInclusion(EARLY)).rejects.toThrow(`position ${EARLY}`)
    expect(world.refusals.at(-1)?.position).toBe(EARLY)
    await world.append(...anyEvents(3, EVENTS))
    await world.settled()
    expect(world.auditor.head?.size).toBe(EVENTS)
  })

  test('an event taken out is found by asking for its proof', async () => {
    forge(world.logDirectory, (blocks) => blocks.filter((_, i) => i !== EARLY - 1))
    await world.auditUntil(EVENTS)
    await expect(world.auditor.prover.proveInclusion(EARLY)).rejects.toThrow('missing')
  })

  test('with the stored tiles gone as well: the log no longer gives the signed root', async () => {
    forge(world.logDirectory, (blocks) => flipBit(blocks, EARLY))
    rmSync(`${world.auditDirectory}/tile`, { recursive: true })
    const refused = await refusal()
    expect(refused.code).toBe('other_root')
    expect(refused.found?.size).toBe(EVENTS)
  })
})

describe('read on several threads', () => {
  test('nothing was changed, an event was, another block is damaged: the same is found', async () => {
    expect(await check(130)).toEqual(await check())
    forge(world.logDirectory, (blocks) => flipBit(blocks, EARLY))
    expect(await check(130)).toEqual(await check())
    const [name = ''] = readdirSync(world.logDirectory).filter((each) => each.endsWith('.hwl'))
    const bytes = readFileSync(join(world.logDirectory, name))
    const middle = bytes.length >> 1
    bytes[middle] = (bytes[middle] ?? 0) ^ 1
    writeFileSync(join(world.logDirectory, name), bytes)
    const [threads, alone] = [await check(130), await check()]
    expect(threads).toEqual(alone)
    expect(alone.damage?.fromPosition).toBe(alone.events + 1)
    expect(isSound(alone)).toBe(false)
  })
})

test('a rewritten tail: other events in the place of the last ones, and more', async () => {
  forge(world.logDirectory, (blocks) => blocks.slice(0, LATE - 1))
  await world.append(...anyEvents(EVENTS, 10_000))
  const refused = await refusal()
  expect([refused.code, refused.position]).toEqual(['other_root', LATE])
  await world.stop()
  expect((await check()).difference?.position).toBe(LATE)
})

test('a truncated log', async () => {
  forge(world.logDirectory, (blocks) => blocks.slice(0, LATE - 1))
  const refused = await refusal()
  expect([refused.code, refused.position]).toEqual(['log_shorter', LATE])
  expect(refused.found?.size).toBe(LATE - 1)
  const report = await check()
  expect(isSound(report)).toBe(false)
  expect(report.heads.every(({ found }) => found === undefined)).toBe(true)
})

test('a truncated log whose tiles are gone', async () => {
  forge(world.logDirectory, (blocks) => blocks.slice(0, LATE - 1))
  rmSync(`${world.auditDirectory}/tile`, { recursive: true })
  expect((await refusal()).code).toBe('log_shorter')
})

test('a whole log replaced by a rebuilt one', async () => {
  rmSync(world.logDirectory, { recursive: true })
  const [first, ...rest] = anyEvents(EVENTS + 50)
  await world.append(...(first === undefined ? [] : [{ ...first, id: 'another' }]), ...rest)
  // Its tail is as it was: the whole must be read, or the first event asked for.
  await world.stop()
  const report = await check()
  expect(isSound(report)).toBe(false)
  expect(report.difference?.position).toBe(1)
  await world.auditUntil(EVENTS)
  await expect(world.auditor.prover.proveInclusion(1)).rejects.toThrow('position 1')
})

test('a tree head signed by another key: nothing more is signed, and the outside head is refused', async () => {
  world.signer = OTHER_SIGNER
  const refused = await refusal()
  expect(refused.code).toBe('other_key')
  const key = parseVerifierKey(OTHER_SIGNER.verifierKey)
  const options = { logDirectory: world.logDirectory, auditDirectory: world.auditDirectory, key }
  await expect(checkLogAgainstHeads({ ...options, outside: [outside] })).rejects.toThrow('another key')
})

test('the whole directory rebuilt by somebody with the key: only the head from outside tells', async () => {
  rmSync(world.logDirectory, { recursive: true })
  rmSync(world.auditDirectory, { recursive: true })
  await world.append(...anyEvents(EVENTS, 5_000))
  await world.auditUntil(EVENTS)
  await world.stop()
  const report = await check()
  expect(report.heads.map(({ from, problem }) => [from, problem === undefined])).toEqual(
    expect.arrayContaining([
      ['checkpoint', true],
      ['outside', false],
    ]),
  )
})
