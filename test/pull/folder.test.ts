/**
 * Theorem: whatever happens to the files of a folder between and during runs (they grow, rest half written, are replaced,
 * renamed, rotated, compressed, broken; the engine stops midway), every whole row of what was there is in the log
 * once, and a file that can't be read stands in no other's way.
 */
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { completeLines } from '../../api/pull/complete-lines.ts'
import { folderMark } from '../../api/pull/folder.ts'
import { temporaryFiles } from '../import/support.ts'
import {
  folderPull,
  listIntake,
  type PullWorld,
  pullWorld,
  runOnce,
  SAMPLE_LINES,
  watched,
} from './support.ts'

let world: PullWorld
beforeEach(() => {
  world = pullWorld()
})
afterEach(() => world.close())

const run = (change: Parameters<typeof folderPull>[1] = {}) =>
  runOnce(folderPull(world, change), world.context())

const rows = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `r${from + i},x\n`).join('')
const names = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `r${from + i}`)

describe('a file', () => {
  test('is imported once, and again only what is new in it', async () => {
    const path = world.drop.write('a.csv', `a,b\n${rows(1, 3)}`)
    expect(await run()).toMatchObject({ outcome: 'imported', files: 1, rows: 3, tally: { appended: 3 } })
    expect(await run()).toMatchObject({ outcome: 'nothing_new', files: 0, rows: 0 })
    appendFileSync(path, rows(4, 5))
    expect(await run()).toMatchObject({ outcome: 'imported', rows: 2, tally: { appended: 2, duplicates: 0 } })
    expect(await world.taken()).toEqual(names(1, 5))
    expect(await folderMark(folderPull(world), world.context())).toEqual({
      ...{ kind: 'folder', files: 1, rows: 5, waitingBytes: 0, unreadable: [] },
    })
  })

  test('goes on behind the mark: rows that are equal to earlier ones are further occurrences', async () => {
    const path = world.drop.write('a.csv', 'a,b\nr1,x\n')
    await run()
    appendFileSync(path, 'r1,x\n')
    expect(await run()).toMatchObject({ rows: 1, tally: { appended: 1, duplicates: 0 } })
    expect(await world.taken()).toEqual(['r1', 'r1'])
  })

  test('half a last line waits for its rest, in CSV and NDJSON', async () => {
    const path = world.drop.write('a.csv', 'a,')
    expect(await run()).toMatchObject({ outcome: 'nothing_new' })
    appendFileSync(path, 'b\nr1,x\nr2')
    expect(await run()).toMatchObject({ outcome: 'imported', rows: 1 })
    expect(await folderMark(folderPull(world), world.context())).toMatchObject({ waitingBytes: 2 })
    appendFileSync(path, '2,"x\ny')
    expect(await run()).toMatchObject({ outcome: 'nothing_new', rows: 0 })
    appendFileSync(path, '"\n')
    expect(await run()).toMatchObject({ rows: 1, refusedRows: 0 })
    expect(await world.taken()).toEqual(['r1', 'r22'])
    const lines = { mapping: SAMPLE_LINES, files: /ndjson$/ }
    const ndjson = world.drop.write('b.ndjson', '{"a":"n1","b":"x"}\n{"a":"n2"')
    expect(await run(lines)).toMatchObject({ rows: 1 })
    appendFileSync(ndjson, ',"b":"x"}\n')
    expect(await run(lines)).toMatchObject({ rows: 1, refusedRows: 0 })
    expect((await world.taken()).slice(2)).toEqual(['n1', 'n2'])
  })

  test('a last line without its break is taken when the file has rested, if that is wanted', async () => {
    const path = world.drop.write('a.csv', 'a,b\nr1,x\nr2,x')
    expect(await run({ finalLineAfterMs: 60_000 })).toMatchObject({ rows: 1 })
    utimesSync(path, 1_000, 1_000)
    expect(await run({ finalLineAfterMs: 60_000 })).toMatchObject({ rows: 1 })
    expect(await run({ finalLineAfterMs: 60_000 })).toMatchObject({ outcome: 'nothing_new' })
    appendFileSync(path, '\nr3,x\n')
    expect(await run({ finalLineAfterMs: 60_000 })).toMatchObject({ rows: 1, refusedRows: 0 })
    expect(await world.taken()).toEqual(names(1, 3))
  })

  test('that a link leads to is read within the folder, and reported once, unread, outside of it', async () => {
    const outside = temporaryFiles()
    const linked = `${world.drop.directory}-link`
    try {
      symlinkSync(outside.write('secret.csv', 'a,b\ns1,x\n'), world.drop.path('a.csv'))
      mkdirSync(world.drop.path('dated'))
      writeFileSync(world.drop.path('dated/b.csv'), 'a,b\nr1,x\n')
      symlinkSync('dated/b.csv', world.drop.path('b.csv'))
      symlinkSync(world.drop.directory, linked)
      const first = await run({ folder: linked })
      expect(first).toMatchObject({ outcome: 'partial', rows: 1 })
      expect(first.issues).toEqual([
        { kind: 'unreadable', file: 'a.csv', reason: 'outside_folder', message: expect.any(String) },
      ])
      appendFileSync(outside.path('secret.csv'), 's2,x\n')
      expect(await run({ folder: linked })).toMatchObject({ outcome: 'nothing_new', issues: [] })
      expect(await world.taken()).toEqual(['r1'])
      rmSync(world.drop.path('a.csv'))
      world.drop.write('a.csv', 'a,b\nr2,x\n')
      expect(await run({ folder: linked })).toMatchObject({ outcome: 'imported', rows: 1 })
    } finally {
      outside.remove()
      rmSync(linked, { force: true })
    }
  })

  test('that was replaced is read anew, shorter, longer or of the same size', async () => {
    const path = world.drop.write('a.csv', `a,b\n${rows(1, 3)}`)
    await run()
    writeFileSync(path, `a,b\n${rows(5, 9)}`)
    expect(await run()).toMatchObject({ rows: 5, tally: { appended: 5 } })
    truncateSync(path, 0)
    expect(await run()).toMatchObject({ outcome: 'nothing_new' })
    writeFileSync(path, 'a,b\ns1,x\n')
    expect(await run()).toMatchObject({ rows: 1 })
    writeFileSync(path, 'a,b\ns2,x\n')
    utimesSync(path, 2_000, 2_000)
    expect(await run()).toMatchObject({ rows: 1 })
    expect(await world.taken()).toEqual([...names(1, 3), ...names(5, 9), 's1', 's2'])
  })

  test('that was renamed is known, and one that took its name is new (rotation)', async () => {
    const path = world.drop.write('app.csv', `a,b\n${rows(1, 2)}`)
    await run()
    renameSync(path, world.drop.path('app.csv.1'))
    world.drop.write('app.csv', `a,b\n${rows(3, 3)}`)
    expect(await run()).toMatchObject({ files: 1, rows: 1, tally: { appended: 1, duplicates: 0 } })
    rmSync(world.drop.path('app.csv.1'))
    expect(await run()).toMatchObject({ outcome: 'nothing_new' })
    expect(await folderMark(folderPull(world), world.context())).toMatchObject({ files: 1, rows: 1 })
  })

  test('compressed is taken when it is whole; half of it waits', async () => {
    const whole = gzipSync(`a,b\n${rows(1, 2)}`)
    world.drop.write('a.csv.gz', whole.subarray(0, whole.length - 9))
    expect(await run()).toMatchObject({
      outcome: 'partial',
      issues: [{ kind: 'unreadable', reason: 'corrupt_gzip' }],
    })
    expect(await run()).toMatchObject({ outcome: 'nothing_new', issues: [] })
    const mark = await folderMark(folderPull(world), world.context())
    expect(mark).toMatchObject({ unreadable: [{ file: 'a.csv.gz', reason: 'corrupt_gzip' }] })
    world.drop.write('a.csv.gz', whole)
    expect(await run()).toMatchObject({ outcome: 'imported' })
    expect(await world.taken()).toEqual(names(1, 2))
  })
})

describe('a folder', () => {
  test('bad rows and unreadable files are told and block nobody', async () => {
    world.drop.write('a.csv', 'x,y\n1,2\n')
    world.drop.write('b.csv', 'a,b\nr1,x\nr2\nr3,x\n')
    world.drop.write('c.csv', `a,b\nr4,x\n"${'q'.repeat(1024 * 1024 + 300_000)}`)
    world.drop.write('d.csv', `a,b\n${rows(5, 5)}`)
    const first = await run()
    expect(first).toMatchObject({ outcome: 'partial', refusedRows: 1 })
    expect(first.issues.map(({ kind, file, reason }) => [kind, file, reason])).toEqual([
      ['unreadable', 'a.csv', 'missing_column'],
      ['row_refused', 'b.csv', 'ragged_row'],
      ['unreadable', 'c.csv', 'record_too_long'],
    ])
    expect(await world.taken()).toEqual(['r1', 'r3', 'r4', 'r5'])
    appendFileSync(world.drop.path('b.csv'), rows(6, 6))
    expect(await run()).toMatchObject({
      outcome: 'imported',
      refusedRows: 0,
      rows: 1,
      tally: { duplicates: 0 },
    })
  })

  test('a file that could not be opened is tried again though nothing about it has changed', async () => {
    world.drop.write('a.csv', `a,b\n${rows(1, 1)}`)
    expect(await run()).toMatchObject({ outcome: 'imported' })
    const { marksFile } = world.context()
    const marks = JSON.parse(readFileSync(marksFile, 'utf8'))
    const failed = { reason: 'not_readable', message: 'EACCES' }
    marks.files = [{ ...marks.files[0], doneBytes: 0, sha256: '', rows: 0, failed }]
    writeFileSync(marksFile, JSON.stringify(marks))
    expect(await run()).toMatchObject({ files: 1, rows: 1, tally: { duplicates: 1 } })
    expect(await folderMark(folderPull(world), world.context())).toMatchObject({ unreadable: [], rows: 1 })
  })

  test('files that are being written under another name, and others, are left alone', async () => {
    for (const name of ['.hidden.csv', 'a.csv.tmp', 'b.csv.part', 'c.csv~', 'd.txt']) {
      world.drop.write(name, `a,b\n${rows(1, 1)}`)
    }
    expect(await run({ files: /\.csv/ })).toMatchObject({ outcome: 'nothing_new', files: 0 })
    renameSync(world.drop.path('a.csv.tmp'), world.drop.path('a.csv'))
    expect(await run({ files: /\.csv/ })).toMatchObject({ outcome: 'imported', rows: 1 })
  })

  test("that isn't there fails; marks that can't be read begin anew and add nothing", async () => {
    expect(await run({ folder: world.drop.path('none') })).toMatchObject({
      outcome: 'failed',
      error: expect.stringContaining('ENOENT'),
    })
    world.drop.write('a.csv', `a,b\n${rows(1, 2)}`)
    await run()
    world.data.write('marks.json', '{"pull":1')
    expect(await run()).toMatchObject({ rows: 2, tally: { appended: 0, duplicates: 2 } })
  })

  test('of another mapping, or a log that lacks what the marks say, begins anew', async () => {
    world.drop.write('a.csv', `a,b\n${rows(1, 2)}`)
    await run()
    const restored = pullWorld()
    const again = await runOnce(
      folderPull(world),
      world.context({ intake: restored.engine.intake, head: () => 0 }),
    )
    expect(again).toMatchObject({ rows: 2, tally: { appended: 2 } })
    expect(await restored.taken()).toEqual(names(1, 2))
    await restored.close()
  })
})

describe('a run that is stopped midway', () => {
  test('goes on where it was, within a file too, and adds nothing twice', async () => {
    world.drop.write('a.csv', `a,b\n${rows(1, 3_000)}`)
    world.drop.write('b.csv', `a,b\n${rows(3_001, 3_100)}`)
    const stopping = new AbortController()
    const { intake } = watched(world.engine.intake, (submitted) => {
      if (submitted >= 1_000) stopping.abort()
    })
    const stopped = await runOnce(folderPull(world), world.context({ intake, signal: stopping.signal }))
    expect(stopped.outcome).toBe('interrupted')
    const before = (await world.taken()).length
    expect(before).toBeGreaterThanOrEqual(1_000)
    expect(before).toBeLessThan(3_000)
    const second = watched(world.engine.intake)
    const again = await runOnce(folderPull(world), world.context({ intake: second.intake }))
    expect(again.outcome).toBe('imported')
    // What was acknowledged isn't sent again, but for the two events that prove it.
    expect(second.seen.events).toBeLessThanOrEqual(3_100 - before + 2)
    expect(await world.taken()).toEqual(names(1, 3_100))
  })

  test('without any mark either: ids protect', async () => {
    world.drop.write('a.csv', `a,b\n${rows(1, 1_200)}`)
    const stopping = new AbortController()
    const { intake } = watched(world.engine.intake, (submitted) => {
      if (submitted >= 500) stopping.abort()
    })
    await runOnce(folderPull(world), world.context({ intake, signal: stopping.signal }))
    rmSync(world.data.path('progress.json'), { force: true })
    rmSync(world.data.path('marks.json'), { force: true })
    expect((await run()).outcome).toBe('imported')
    expect(await world.taken()).toEqual(names(1, 1_200))
  })
})

test('random growth: after every step the log has the whole rows, once', async () => {
  const piece = fc.constantFrom('r,x\n', '"a\nb",x\n', 'q', '"', ',', 'x\n', '\n', '"",""\n', 'u,"v""w"\n')
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(piece, { maxLength: 6 }), { maxLength: 5 }), async (steps) => {
      const [grown, whole] = [listIntake(), listIntake()]
      const files = [temporaryFiles(), temporaryFiles(), temporaryFiles()] as const
      const [data, drop, once] = files
      const context = (intake: typeof grown, marks: string) =>
        world.context({
          ...intake,
          marksFile: data.path(marks),
          progressFile: data.path(`${marks}.progress`),
        })
      const path = drop.write('a.csv', 'a,b\n')
      for (const [i, step] of steps.entries()) {
        appendFileSync(path, step.join(''))
        utimesSync(path, 1_000 + i, 1_000 + i)
        await runOnce(folderPull(world, { folder: drop.directory }), context(grown, 'grown'))
      }
      // The same bytes at one go, cut after the last whole record.
      const format = { format: 'csv', columns: [] } as const
      const found = await completeLines(path, statSync(path).size, format, undefined)
      once.write('a.csv', readFileSync(path).subarray(0, found.whole.bytes))
      await runOnce(folderPull(world, { folder: once.directory }), context(whole, 'whole'))
      expect(grown.values()).toEqual(whole.values())
      for (const each of files) each.remove()
    }),
    { numRuns: 25 },
  )
})

test('whole records end where the CSV says, however the bytes are cut', async () => {
  const files = temporaryFiles()
  const format = { format: 'csv', columns: [] } as const
  const cases: readonly (readonly [string, number])[] = [
    ['', 0],
    ['a', 0],
    ['a\n', 2],
    ['a\nb', 2],
    ['"a\nb', 0],
    ['"a\nb"\n', 6],
    ['a"\nb', 3],
    ['x,"a""\n', 0],
    ['x,"a"""\ny', 8],
    ['\ufeff"a\nb"\r\nz', 10],
  ]
  for (const [text, bytes] of cases) {
    const path = files.write('a.csv', text)
    const found = await completeLines(path, statSync(path).size, format, undefined)
    expect(found.whole.bytes, JSON.stringify(text)).toBe(bytes)
    expect(found.all.bytes).toBe(Buffer.byteLength(text))
  }
  files.remove()
})
