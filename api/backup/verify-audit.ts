import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type CheckReport, checkLogAgainstHeads, isSound } from '../../engine/audit/check.ts'
import { CHECKPOINT_NAME } from '../../engine/audit/format.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import { counted, type Finding, fail, ok, warn } from '../doctor/finding.ts'
import type { OnProgress } from './check-files.ts'

const LOOKS_AGAIN = 3

/** Whether the log still is what the tree heads that are kept beside it say. */
export async function verifyTreeHeads(
  files: Files,
  data: string,
  options: { readonly isRunning: boolean; readonly onProgress: OnProgress },
): Promise<readonly Finding[]> {
  const { isRunning, onProgress } = options
  const auditDirectory = join(data, 'audit')
  if (!existsSync(join(auditDirectory, CHECKPOINT_NAME))) return []
  const look = () =>
    checkLogAgainstHeads({
      ...{ logDirectory: join(data, 'log'), auditDirectory, outside: [], key: undefined, files, onProgress },
    })
  let report = await look()
  // A block that is being written looks torn; a moment later it isn't.
  for (let again = 0; isRunning && report.damage !== undefined && again < LOOKS_AGAIN; again++)
    report = await look()
  return [...judgeHeads(report), ...judgeTiles(report)]
}

function judgeHeads(report: CheckReport): readonly Finding[] {
  const problems = report.heads.filter(({ problem }) => problem !== undefined)
  if (isSound(report)) {
    const message = `the log is what ${counted(report.heads.length, 'tree head')} beside it say; only one kept elsewhere proves it`
    return [ok('tree heads', message)]
  }
  if (problems.length === 0) return [warn('tree heads', 'not compared: the log is damaged', 'see log')]
  const where = report.difference === undefined ? '' : `; ${report.difference.message}`
  return problems.map(({ from, problem }) =>
    fail(
      'tree heads',
      `${from}: ${problem}${where}`,
      'the log was changed, or lost its end: restore it, and see headwater audit',
    ),
  )
}

function judgeTiles({ tiles }: CheckReport): readonly Finding[] {
  const { missing, damaged } = tiles
  if (missing + damaged === 0) return []
  const message = `${damaged} tiles of the tree are damaged, ${missing} missing`
  return [warn('tree', message, 'nothing to do: the engine makes them anew from the log')]
}
