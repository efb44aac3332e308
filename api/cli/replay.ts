import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { LogDamaged, type LogReader } from '../../engine/log/log.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import { LazyEvent } from '../../engine/privacy/lazy-event.ts'
import { type KeyReader, openOpener } from '../../engine/privacy/opener.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { isDiskFull } from '../../engine/store/disk-full.ts'
import { removeSqliteStore } from '../../engine/store/sqlite-failure.ts'
import { momentOf, parseAsOf } from '../history/moment.ts'
import {
  makeEmpty,
  REPLAYED_FILE,
  type Replayed,
  replay as replayInto,
  wantedProjections,
} from '../past/replay.ts'
import {
  type Command,
  CommandFailed,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { findInstallation } from './installation.ts'
import { createWorkBar } from './progress-bar.ts'

const OPTIONS = {
  until: { type: 'string' },
  by: { type: 'string' },
  projections: { type: 'string' },
  out: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean' },
} as const

const MANIFEST = 'replay.json'
const NOTHING_YET =
  'nothing had reached the engine by then; --by occurred takes what had happened, as far as is known today'

export const replay: Command = {
  help: `Usage: headwater replay --until <moment> --out <directory> [--projections <names>] [--by occurred] [--json]

Folds read models from the log as of a moment into a SQLite file of their own, beside a running engine or without one, and
prints the digest of each. The log and the keys are read, never changed. The moment is a position of the log, a day or an
RFC 3339 instant; identities and configuration are those of that moment, the code is this program's.

Two replays up to the same moment, by the same versions and configuration and with the same erasures behind them, have
the same digests, and so has what an engine served at that position. Of versions that this program doesn't have any
more nothing is claimed: name one (profile@4) to be told instead.

${optionTable([
  ['--until <moment>', 'a position, a day or an instant'],
  ['--by received', 'with an instant: what had reached the engine by then; the default'],
  ['--by occurred', 'with an instant: what had happened by then, as far as is known today'],
  ['--projections <names>', 'separated by commas; default: all. name@version takes that version only'],
  [
    '--out <directory>',
    `takes ${REPLAYED_FILE} and ${MANIFEST}; it must be empty. Personal data stand in it in clear`,
  ],
  ['--data <directory>', 'the data directory, instead of HEADWATER_DATA'],
  ['--json', `print ${MANIFEST} as one line`],
])}

Exit codes: 0 done · 1 it failed · 2 wrong command line · 130 interrupted, and nothing is left`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    if (positionals.length > 0) throw new UsageError('replay takes options only')
    const { until, out } = values
    if (until === undefined || out === undefined) throw new UsageError('replay needs --until and --out')
    const asOf = parseAsOf(until)
    if (asOf === undefined) throw new UsageError(`${until} is no position, day or RFC 3339 instant`)
    const by = statedBy(values.by)
    if (by === 'occurred' && asOf._tag === 'Position')
      throw new UsageError('--by occurred takes a day or an instant, not a position')
    const projections = statedProjections(values.projections)
    const { data, masterKey, files } = findInstallation(terminal, values.data)
    const directory = join(data, 'log')
    if (!existsSync(directory)) throw new CommandFailed(`${data} holds no log`)
    const log = openEmbeddedReader(directory, undefined, files)
    try {
      const moment = await momentOf(log, asOf, by)
      if (moment === undefined) throw new CommandFailed(`the log ends at position ${log.head().position}`)
      const keys = openOpener(join(data, 'keys'), { masterKey })
      try {
        const options = {
          log,
          keys,
          moment,
          projections,
          out: resolve(out),
          until,
          json: values.json ?? false,
        }
        return await terminal.interruptible((signal) => run(terminal, options, signal))
      } finally {
        keys.close()
      }
    } catch (error) {
      if (error instanceof KeyStoreError || error instanceof LogDamaged)
        throw new CommandFailed(error.message)
      throw error
    } finally {
      await log.close()
    }
  },
}

function statedBy(by: string | undefined): Moment['by'] {
  if (by === undefined || by === 'received') return 'received'
  if (by === 'occurred') return by
  throw new UsageError(`--by takes received or occurred, not ${by}`)
}

function statedProjections(text: string | undefined): readonly AnyProjection[] {
  const wanted = wantedProjections(text === undefined ? [] : text.split(',').map((name) => name.trim()))
  switch (wanted._tag) {
    case 'Found':
      return wanted.projections
    case 'Unknown':
      throw new UsageError(`there is no read model ${wanted.name}; these exist: ${wanted.known.join(', ')}`)
    case 'OtherVersion': {
      const { name, stated, version } = wanted
      throw new UsageError(
        `this program has version ${version} of ${name}, not ${stated}: nothing can be claimed of that`,
      )
    }
  }
}

interface Run {
  readonly log: LogReader
  readonly keys: KeyReader
  readonly moment: Moment
  readonly projections: readonly AnyProjection[]
  readonly out: string
  readonly until: string
  readonly json: boolean
}

async function run(
  terminal: Terminal,
  { log, keys, moment, projections, out, until, json }: Run,
  signal: AbortSignal,
): Promise<ExitCode> {
  if (!makeEmpty(out)) throw new CommandFailed(`${out} isn't empty: name another directory`)
  const bar = createWorkBar(terminal)
  let replayed: Replayed | undefined
  try {
    replayed = await replayInto({
      ...{ log, moment, projections, out, clock: terminal.clock, signal },
      open: (event: RecordedEvent) => new LazyEvent(event, keys, registry),
      onProgress: (position) => bar.update('folding', position, moment.position),
    })
  } catch (error) {
    if (isDiskFull(error)) throw new CommandFailed(`there is no room for it in ${out}`)
    throw error
  } finally {
    bar.stop()
    if (replayed === undefined) removeSqliteStore(join(out, REPLAYED_FILE))
  }
  if (replayed === undefined) {
    rmSync(out, { recursive: true, force: true })
    return 130
  }
  const { moment: at, builds, poison, erasedSince } = replayed
  const manifest = {
    until,
    by: at.by,
    position: at.position,
    received: at.received,
    builds,
    poison,
    erasedSince,
  }
  writeFileSync(join(out, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`)
  if (at.position === 0) terminal.err(`headwater replay: ${NOTHING_YET}`)
  if (json) terminal.out(JSON.stringify(manifest))
  else print(terminal, replayed, out)
  return 0
}

function print(terminal: Terminal, { moment, builds, poison, erasedSince }: Replayed, out: string): void {
  const width = Math.max(...builds.map(({ projection }) => projection.length))
  for (const { projection, version, configuration, rows, digest } of builds) {
    terminal.out(
      `${projection.padEnd(width)}  v${version} ${configuration}  ${String(rows).padStart(9)} rows  ${digest}`,
    )
  }
  const which =
    moment.by === 'occurred' ? `what had happened by ${new Date(moment.time).toISOString()}, up to` : 'up to'
  terminal.out(`${which} position ${moment.position}, in ${out}`)
  if (poison > 0) terminal.out(`${poison} events or rows were set aside`)
  if (erasedSince > 0)
    terminal.out(`not comparable with digests from before: ${erasedSince} erasures came behind that position`)
}
