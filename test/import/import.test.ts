/**
 * Theorem: whatever an engine and its network do on the way (answers lost, batches refused, the engine away, the importer
 * stopped between any two requests), an import that ends well has every event of the file acknowledged, in the log once,
 * and counts exactly what became of them; one that doesn't says so, and the next goes on from there.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { DeliveryLimits } from '../../api/import/delivery.ts'
import { type ImportOptions, importFile } from '../../api/import/import.ts'
import type { SendOutcome } from '../../api/import/sender.ts'
import { systemClock } from '../../engine/clock.ts'
import {
  compile,
  FakeEngine,
  fakeSender,
  idsOf,
  mapFile,
  mappingDocument,
  orThrow,
  temporaryFiles,
} from './support.ts'

const files = temporaryFiles()
afterAll(files.remove)

const LIMITS: Partial<DeliveryLimits> = { batchEvents: 10, minPauseMs: 1, maxPauseMs: 2, retryForMs: 10_000 }
const PRELUDE = [{ type: 'source.registered', id: 'prelude:1', data: { source: 'web' } }]
const MAPPING = compile(mappingDocument({ prelude: PRELUDE }))

let engine: FakeEngine
let file: string
let expectedIds: readonly string[]

/** 95 good rows, some of them equal, and 5 ragged ones. */
const ROWS = Array.from({ length: 100 }, (_, i) => (i % 20 === 7 ? 'ragged' : `${i % 30},${i % 2}`))

beforeEach(async () => {
  engine = new FakeEngine()
  file = files.write('rows.csv', `a,b\n${ROWS.join('\n')}\n`)
  expectedIds = ['prelude:1', ...idsOf(await mapFile(file, MAPPING))]
})

function run(options: Partial<ImportOptions> = {}) {
  return importFile({
    mapping: MAPPING,
    file,
    sender: fakeSender(engine),
    clock: systemClock,
    limits: LIMITS,
    ...options,
  })
}

function sorted(ids: Iterable<string>): readonly string[] {
  return [...ids].sort()
}

describe('an undisturbed import', () => {
  test('sends everything once, the prelude first, and reports', async () => {
    const report = orThrow(await run())
    expect(sorted(engine.log.keys())).toEqual(sorted(expectedIds))
    expect(engine.log.get('prelude:1')).toBe(1)
    expect(engine.received).toBe(96)
    expect(report).toMatchObject({
      rows: 100,
      events: 96,
      appended: 96,
      duplicates: 0,
      quarantined: 0,
      refused: 0,
      refusedRows: 5,
      position: 96,
      resumedAfterRow: undefined,
    })
    expect(report.issues.map(({ line, row, reason }) => [line, row, reason])).toEqual(
      [9, 29, 49, 69, 89].map((line) => [line, line - 1, 'ragged_row']),
    )
  })

  test('a second one finds everything there already', async () => {
    await run()
    expect(orThrow(await run())).toMatchObject({ appended: 0, duplicates: 96 })
    expect(engine.log.size).toBe(96)
  })

  test('batches keep to their limits', async () => {
    await run()
    expect(Math.max(...engine.batches)).toBe(10)
    const big = files.write('big.csv', `a,b\n${`${'x'.repeat(1000)},1\n`.repeat(50)}`)
    engine = new FakeEngine()
    await run({
      file: big,
      sender: fakeSender(engine),
      limits: { ...LIMITS, batchEvents: 100, batchBytes: 5_000 },
    })
    expect(engine.log.size).toBe(51)
    expect(Math.max(...engine.batches)).toBeLessThanOrEqual(5)
  })

  test('the report file has every issue', async () => {
    const reportFile = files.path('report.ndjson')
    const bad = files.write('bad.csv', `a,b\n${'x\n'.repeat(1000)}`)
    const report = orThrow(await run({ file: bad, reportFile }))
    expect(report.refusedRows).toBe(1000)
    expect(report.issues).toHaveLength(20)
    const lines = readFileSync(reportFile, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i + 2),
    )
  })
})

describe('disturbances', () => {
  type Disturbance = 'none' | 'lost' | 'away' | 'overloaded' | 'half' | 'too_large'

  /** What the sender sees in place of, or after, the engine's answer. */
  function disturbed(plan: readonly Disturbance[]) {
    return fakeSender(engine, (request, events): SendOutcome | 'lost' | undefined => {
      const what = plan[request] ?? 'none'
      switch (what) {
        case 'none':
          return undefined
        case 'lost':
          return 'lost'
        case 'away':
          return { _tag: 'Unavailable', why: 'ECONNREFUSED', retryAfterMs: 1 }
        case 'too_large':
          return events.length > 1 ? { _tag: 'TooLarge', why: 'HTTP 413' } : undefined
        case 'overloaded':
          return { _tag: 'Sent', results: events.map(() => ({ status: 'refused', reason: 'overloaded' })) }
        case 'half': {
          const half = Math.floor(events.length / 2)
          const taken = engine.take(events.slice(0, half))
          const rest = events.slice(half).map(() => ({ status: 'refused' as const, reason: 'read_only' }))
          return { _tag: 'Sent', results: [...taken, ...rest] }
        }
      }
    })
  }

  test('any sequence of them loses nothing and doubles nothing', async () => {
    const disturbance = fc.constantFrom<Disturbance>(
      'none',
      'lost',
      'away',
      'overloaded',
      'half',
      'too_large',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(disturbance, { maxLength: 30 }), async (plan) => {
        engine = new FakeEngine()
        const report = orThrow(await run({ sender: disturbed(plan) }))
        expect(sorted(engine.log.keys())).toEqual(sorted(expectedIds))
        expect(report.appended + report.duplicates).toBe(96)
      }),
      { numRuns: 40 },
    )
  })

  test('an engine that stays away: a failure that says so, after the time given', async () => {
    const away = fakeSender(engine, () => ({ _tag: 'Unavailable', why: 'ECONNREFUSED' }))
    const waits: (string | undefined)[] = []
    const result = await run({
      sender: away,
      limits: { ...LIMITS, retryForMs: 30 },
      onProgress: (status) => waits.push(status.waiting),
    })
    expect(result).toMatchObject({ left: { failure: { _tag: 'Unreachable' }, report: { appended: 0 } } })
    expect(waits).toContain('ECONNREFUSED')
  })

  test('an answer that will not change ends the import at once', async () => {
    const rejected = fakeSender(engine, (request) =>
      request < 3 ? undefined : { _tag: 'Rejected', why: 'HTTP 401' },
    )
    const result = await run({ sender: rejected })
    expect(result).toMatchObject({
      left: { failure: { _tag: 'Rejected', why: expect.stringContaining('401') } },
    })
  })

  test('quarantined and refused events are counted and named by line', async () => {
    const picky = fakeSender(engine, (request, events) => {
      if (request !== 1) return undefined
      const results = engine.take(events)
      results[0] = { status: 'quarantined', id: 'x', position: 3, reason: 'invalid_data', message: 'no' }
      results[1] = { status: 'refused', reason: 'wrong_expected', message: 'moved on' }
      return { _tag: 'Sent', results }
    })
    const report = orThrow(await run({ sender: picky }))
    expect(report).toMatchObject({ appended: 94, quarantined: 1, refused: 1, events: 96 })
    const issues = report.issues.filter(({ kind }) => kind !== 'row_refused')
    expect(issues).toMatchObject([
      { kind: 'event_quarantined', line: 2, id: expectedIds[1], reason: 'invalid_data' },
      { kind: 'event_refused', line: 3, id: expectedIds[2], reason: 'wrong_expected' },
    ])
  })

  test('one event that is too large is refused, its neighbours are not', async () => {
    const sender = fakeSender(engine, (_, events) =>
      events.some(({ id }) => id === expectedIds[5]) ? { _tag: 'TooLarge', why: 'HTTP 413' } : undefined,
    )
    const report = orThrow(await run({ sender }))
    expect(report).toMatchObject({ appended: 95, refused: 1 })
    expect(report.issues).toContainEqual(expect.objectContaining({ reason: 'too_large', id: expectedIds[5] }))
  })
})

describe('an import that was stopped', () => {
  const progressFile = files.path('progress.json')

  /** Stops after so many requests, as a signal would. */
  async function stopAfter(requests: number, options: Partial<ImportOptions> = {}) {
    const controller = new AbortController()
    const sender = fakeSender(engine, (request) => {
      if (request >= requests) controller.abort()
      return undefined
    })
    const limits = { ...LIMITS, inFlight: 1 }
    return run({ sender, progressFile, signal: controller.signal, limits, ...options })
  }

  test('at any request, goes on where it was, and the whole is complete and counted once', async () => {
    for (let requests = 1; requests <= 9; requests++) {
      engine = new FakeEngine()
      const first = await stopAfter(requests)
      expect(first).toMatchObject({ left: { failure: { _tag: 'Interrupted' } } })
      const before = engine.received
      const second = orThrow(await run({ progressFile }))
      expect(sorted(engine.log.keys())).toEqual(sorted(expectedIds))
      expect(second.resumedAfterRow).toBeGreaterThan(0)
      expect(second).toMatchObject({ rows: 100, refusedRows: 5, events: 96 })
      expect(second.appended + second.duplicates).toBe(96)
      // Two events to see that the log is the same, and at most what was under way.
      expect(engine.received - before).toBeLessThanOrEqual(96 - before + 2 + 10)
      expect(existsSync(progressFile)).toBe(false)
    }
  })

  test('begins anew where the log is another one', async () => {
    await stopAfter(5)
    engine = new FakeEngine()
    const report = orThrow(await run({ progressFile }))
    expect(sorted(engine.log.keys())).toEqual(sorted(expectedIds))
    expect(report.resumedAfterRow).toBeUndefined()
  })

  test('begins anew where the log was restored from an older backup', async () => {
    await stopAfter(6)
    const kept = [...engine.log].slice(0, 20)
    engine = new FakeEngine()
    for (const [id, position] of kept) engine.log.set(id, position)
    orThrow(await run({ progressFile }))
    expect(sorted(engine.log.keys())).toEqual(sorted(expectedIds))
  })

  test('begins anew with another file, mapping or target, or a damaged progress file', async () => {
    const other = compile(mappingDocument({ prelude: PRELUDE, about: 'changed' }))
    const changes: readonly (() => Partial<ImportOptions>)[] = [
      () => ({ file: files.write('other.csv', `a,b\n${ROWS.slice(1).join('\n')}\n`) }),
      () => ({ mapping: other }),
      () => ({ sender: { ...fakeSender(engine), target: 'elsewhere' } }),
      () => ({ restart: true }),
      () => {
        writeFileSync(progressFile, '{"progress":1')
        return {}
      },
    ]
    for (const change of changes) {
      engine = new FakeEngine()
      await stopAfter(4)
      expect(existsSync(progressFile)).toBe(true)
      expect(orThrow(await run({ progressFile, ...change() })).resumedAfterRow).toBeUndefined()
    }
  })

  test('begins anew where the file was replaced by one of equal size and beginning, and says so', async () => {
    // Longer than what a glance at the first MiB tells.
    const rowAt = (at: number) => `r${at},${'x'.repeat(20_000)}\n`
    const rows = Array.from({ length: 100 }, (_, at) => rowAt(at))
    const file = files.write('large.csv', `a,b\n${rows.join('')}`)
    await stopAfter(8, { file })
    const { acknowledgedRow } = JSON.parse(readFileSync(progressFile, 'utf8'))
    expect(acknowledgedRow).toBeGreaterThan(60)
    // Another row, where the glance doesn't reach and reading had been.
    files.write('large.csv', `a,b\n${rows.with(60, rowAt(60).replace('r60', 'q60')).join('')}`)
    const warnings: string[] = []
    const report = orThrow(await run({ file, progressFile, onWarning: (message) => warnings.push(message) }))
    expect(report).toMatchObject({ resumedAfterRow: undefined, rows: 100 })
    expect(warnings).toEqual([expect.stringContaining('is another since')])
    // The prelude, a hundred rows of the first file as far as it got, and the one that was changed.
    expect(engine.log.size).toBe(102)
  })

  test('a report file that is gone on with has every refused row once', async () => {
    const reportFile = files.path('resumed.ndjson')
    await stopAfter(5, { reportFile })
    await run({ progressFile, reportFile })
    const lines = readFileSync(reportFile, 'utf8').trimEnd().split('\n')
    const found = new Set(lines.map((line) => (JSON.parse(line) as { line: number }).line))
    expect([...found].sort((a, b) => a - b)).toEqual([9, 29, 49, 69, 89])
  })
})

describe('files that fail', () => {
  test('one that is not there', async () => {
    expect(await run({ file: files.path('absent.csv') })).toMatchObject({
      left: { failure: { _tag: 'Unreadable', reason: 'not_readable' } },
    })
  })

  test('what stood before the fault is sent', async () => {
    const broken = files.write('broken.csv', `a,b\n1,2\n"${'x'.repeat(1_100_000)}\n`)
    const result = await run({ file: broken })
    expect(result).toMatchObject({
      left: { failure: { reason: 'record_too_long' }, report: { appended: 2 } },
    })
  })

  test('progress or a report that can not be written', async () => {
    const notADirectory = files.write('plain', '')
    const warnings: string[] = []
    const onWarning = (message: string) => warnings.push(message)
    expect(E.isRight(await run({ progressFile: `${notADirectory}/p.json`, onWarning }))).toBe(true)
    expect(warnings).toHaveLength(1)
    const result = await run({ reportFile: `${notADirectory}/r.ndjson` })
    expect(result).toMatchObject({ left: { failure: { _tag: 'Unwritable' } } })
  })
})
