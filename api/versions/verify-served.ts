import { join } from 'node:path'
import { type Clock, systemClock } from '../../engine/clock.ts'
import { registry } from '../../engine/events/registry.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { LogDamaged } from '../../engine/log/log.ts'
import { LazyEvent } from '../../engine/privacy/lazy-event.ts'
import { openOpener } from '../../engine/privacy/opener.ts'
import { projections } from '../../projections/catalog.ts'
import { counted, type Finding, fail, ok, warn } from '../doctor/finding.ts'
import { readOpenErasures } from '../erasure/operations-file.ts'
import {
  type CompareProgress,
  type ComparingWorld,
  type Verified,
  type VerifiedBuild,
  verifyBuilds,
} from './compare.ts'

interface ServedOptions {
  readonly data: string
  readonly masterKey: Uint8Array | undefined
  readonly signal: AbortSignal
  readonly onProgress: (progress: CompareProgress) => void
  readonly clock?: Clock | undefined
}

/** Runs `work` over a data directory's log and keys, beside a running engine or without one. */
export async function besideEngine<T>(
  { data, masterKey, signal, onProgress, clock = systemClock }: ServedOptions,
  work: (world: ComparingWorld) => Promise<T>,
): Promise<T> {
  const keys = openOpener(join(data, 'keys'), { masterKey })
  const logs: { close(): Promise<void> }[] = []
  const openLog: ComparingWorld['openLog'] = () => {
    const log = openEmbeddedReader(join(data, 'log'))
    logs.push(log)
    return log
  }
  try {
    const open: ComparingWorld['open'] = (event) => new LazyEvent(event, keys, registry)
    return await work({ data, openLog, open, clock, signal, onProgress })
  } finally {
    keys.close()
    await Promise.all(logs.map((log) => log.close()))
  }
}

/** Folds every read model once more from the log, in files of its own, and compares with what serves. */
export async function verifyServed(options: ServedOptions): Promise<readonly Finding[]> {
  try {
    const found = await besideEngine(options, (world) => verifyBuilds(world, projections))
    const isErasing = readOpenErasures(options.data).some(({ state }) => state === 'executing')
    return judge(found, isErasing)
  } catch (error) {
    if (error instanceof LogDamaged)
      return [warn('read models', 'not compared: the log is damaged', 'see log')]
    throw error
  }
}

function judge({ position, builds, erased }: Verified, isErasing: boolean): readonly Finding[] {
  const findings = builds.flatMap((build) => judgeBuild(build, isErasing))
  const equal = builds.filter(({ result }) => result === 'equal')
  const rows = equal.reduce((sum, build) => sum + build.rows, 0)
  // An erasure folds what it touches anew, so that these rows are comparable all the same.
  const people = erased === 0 ? '' : `, ${counted(erased, 'erasure')} included`
  const message = `${equal.length} of ${builds.length} are, row by row, what the log comes to at position ${position} (${counted(rows, 'row')}${people})`
  return [...(equal.length === 0 ? [] : [ok('read models', message)]), ...findings]
}

const MOST_SHOWN = 5

function judgeBuild(build: VerifiedBuild, isErasing: boolean): readonly Finding[] {
  const { projection, differingBuckets, expectedBuild } = build
  switch (build.result) {
    case 'equal':
      return []
    case 'other_version': {
      const message = `${projection}: ${build.build} serves, where this release folds ${expectedBuild}: not compared`
      return [warn('read models', message, `headwater diff ${projection} shows what is different`)]
    }
    case 'differs': {
      const shown = differingBuckets.slice(0, MOST_SHOWN).join(', ')
      const more = differingBuckets.length > MOST_SHOWN ? ' …' : ''
      const where = `${counted(differingBuckets.length, 'bucket')} of 4096 (${shown}${more})`
      if (isErasing) {
        const message = `${projection}: not comparable while an erasure is under way; it differs in ${where}`
        return [warn('read models', message, 'verify again when headwater erasures says that it is done')]
      }
      const message = `${projection} isn't what the log comes to: it differs in ${where}`
      return [fail('read models', message, `headwater rebuild ${projection} mends it; please report it`)]
    }
  }
}
