import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import type { FailedImport } from '../import/import.ts'
import { openInput } from '../import/input-file.ts'
import { type Fetched, fetchFile } from './fetch-file.ts'
import { raised } from './high-water.ts'
import { type Marks, readMarks, writeMarks } from './mark-file.ts'
import type { PullMark, PullRun, UrlPull } from './pull.ts'
import { importInput, marksOf, type PullContext, RunTotals } from './run-import.ts'

/** One run over a URL: fetched whole, then imported; the mark moves when every row is acknowledged. */

export async function pullUrl(pull: UrlPull, context: PullContext): Promise<PullRun> {
  const { marksFile, downloadFile: path, signal } = context
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const marks = await readMarks(marksFile, marksOf(pull, context))
  const totals = new RunTotals()
  try {
    const fetched = await fetchFile({ pull, mark: marks.url, path, signal })
    switch (fetched._tag) {
      case 'NotModified':
        return totals.end('nothing_new')
      case 'Failed':
        if (signal.aborted) return totals.end('interrupted')
        return totals.end('failed', { error: fetched.why, retryAfterMs: fetched.retryAfterMs })
      case 'Fetched':
        return await importFetched(pull, context, { marks, fetched, totals })
    }
  } finally {
    // It holds customers.
    await rm(path, { force: true }).catch(() => undefined)
  }
}

/** How far it has got, as the marks say. */
export async function urlMarkOf(pull: UrlPull, context: PullContext): Promise<PullMark> {
  const { url } = await readMarks(context.marksFile, marksOf(pull, context))
  return { kind: 'url', highWater: url.highWater, lastModified: url.lastModified }
}

interface Work {
  readonly marks: Marks
  readonly fetched: Extract<Fetched, { _tag: 'Fetched' }>
  readonly totals: RunTotals
}

async function importFetched(
  pull: UrlPull,
  context: PullContext,
  { marks, fetched, totals }: Work,
): Promise<PullRun> {
  let mark = marks.url.highWater
  const { fingerprint } = fetched
  if (fingerprint.sizeBytes > 0) {
    const input = await openInput(context.downloadFile)
    if (E.isLeft(input)) return totals.end('failed', { error: "what was fetched can't be read" })
    const { highWater } = pull
    const onRow =
      highWater === undefined
        ? undefined
        : (cells: readonly string[]) => {
            mark = raised(highWater, mark, cells[highWater.index] ?? '')
          }
    const imported = await importInput(pull, context, { input: { ...input.right, fingerprint }, onRow })
    const report = E.isRight(imported) ? imported.right : imported.left.report
    totals.add(report, undefined, undefined)
    marks.position = Math.max(marks.position, report.position)
    if (E.isLeft(imported)) return notImported(totals, imported.left, context.downloadFile)
  }
  marks.url = { ...(mark === undefined ? {} : { highWater: mark }), ...fetched.validators }
  await writeMarks(context.marksFile, marks)
  return totals.end(totals.imported ? 'imported' : 'nothing_new')
}

function notImported(totals: RunTotals, { failure }: FailedImport, path: string): PullRun {
  switch (failure._tag) {
    case 'Interrupted':
      return totals.end('interrupted')
    case 'Unreachable':
    case 'Rejected':
    case 'Unwritable':
    case 'Unreadable':
      return totals.end('failed', { error: failure.why.replaceAll(path, 'what was fetched') })
  }
}
