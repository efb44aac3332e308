import * as t from 'io-ts'
import { CommandFailed, type Terminal } from './command.ts'
import { askOk, type Connection, decodeAnswer, findConnection } from './connection.ts'
import { createWorkBar } from './progress-bar.ts'

const nullable = <C extends t.Mixed>(codec: C) => t.union([codec, t.null])

const because = t.type({
  field: t.string,
  rule: t.string,
  event: t.string,
  source: t.string,
  position: t.number,
  time: t.string,
})

const fieldDiff = t.intersection([
  t.type({ column: t.string, from: t.unknown, to: t.unknown }),
  t.partial({ because: t.type({ from: t.array(because), to: t.array(because) }) }),
])

const rowDiff = t.type({ change: t.string, id: t.string, part: t.string, fields: t.array(fieldDiff) })

export const buildDiff = t.type({
  projection: t.string,
  from: t.string,
  to: t.string,
  rows: t.type({ from: t.number, to: t.number }),
  added: t.number,
  removed: t.number,
  changed: t.number,
  columns: t.record(t.string, t.number),
  newColumns: t.array(t.string),
  goneColumns: t.array(t.string),
  sample: t.array(rowDiff),
})

const rebuilt = t.type({
  projection: t.string,
  from: t.string,
  to: t.string,
  rows: t.number,
  before: t.string,
  after: t.string,
  equal: t.boolean,
})

const differences = t.type({ kind: t.literal('differences'), position: t.number, diffs: t.array(buildDiff) })
const rebuiltBuilds = t.type({ kind: t.literal('rebuilt'), builds: t.array(rebuilt) })

const job = t.type({
  id: t.string,
  state: t.keyof({ waiting: null, running: null, done: null, failed: null }),
  progress: nullable(t.type({ step: t.string, done: t.number, of: t.number })),
  failure: nullable(t.string),
  result: t.unknown,
})

export type ShownDiff = t.TypeOf<typeof buildDiff>
export type ShownRow = t.TypeOf<typeof rowDiff>
export type ShownBecause = t.TypeOf<typeof because>
export type Differences = t.TypeOf<typeof differences>

const LOOK_MS = 1_000

/** Begins a job, waits for its end, and answers what came of it; throws `CommandFailed` where it failed. */
export async function runJob(
  terminal: Terminal,
  request: { readonly path: string; readonly body?: unknown; readonly admin?: boolean },
): Promise<unknown> {
  const connection = await findConnection(terminal)
  const bar = createWorkBar(terminal)
  const separator = request.path.includes('?') ? '&' : '?'
  try {
    let answer = await askJob(connection, { ...request, path: `${request.path}${separator}wait=${LOOK_MS}` })
    while (answer.state === 'waiting' || answer.state === 'running') {
      if (answer.progress !== null) bar.update(answer.progress.step, answer.progress.done, answer.progress.of)
      answer = await askJob(connection, { path: `/v1/version-jobs/${answer.id}?wait=${LOOK_MS}` })
    }
    if (answer.state === 'failed') throw new CommandFailed(answer.failure ?? 'it failed')
    return answer.result
  } finally {
    bar.stop()
  }
}

async function askJob(
  connection: Connection,
  request: Parameters<typeof askOk>[1],
): Promise<t.TypeOf<typeof job>> {
  return decodeAnswer(t.type({ data: job }), await askOk(connection, request)).data
}

export function readDifferences(result: unknown): Differences {
  return decodeAnswer(differences, result)
}

export function readRebuilt(result: unknown): t.TypeOf<typeof rebuiltBuilds>['builds'] {
  return decodeAnswer(rebuiltBuilds, result).builds
}
