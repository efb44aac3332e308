import type { FastifyInstance } from 'fastify'
import { Packr } from 'msgpackr'
import { buildApp } from '../../api/app.ts'
import type { ApiDeps, EngineStatus, QuarantinedBody } from '../../api/deps.ts'
import { createLiveRows } from '../../api/live-rows.ts'
import { createMetrics } from '../../api/metrics.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { normaliseIdentity } from '../../engine/intake/normalise.ts'
import type { Incoming, Intake, IntakeResult } from '../../engine/intake/result.ts'
import { createMemoryKeyStore } from '../../engine/privacy/memory-key-store.ts'
import type { KeyStore } from '../../engine/privacy/privacy.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { MemoryStore } from '../../engine/store/memory.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import type { Row } from '../../engine/store/table.ts'
import type { ArrayLog } from './array-log.ts'
import { arrayLog } from './array-log.ts'
import { PROJECTIONS } from './projections.ts'

/** The api over doubles that a test fills by hand: nothing listens, nothing is written to disk. */

export const WRITE_KEY = 'hw_w_test-write-key-0001'
export const READ_TOKEN = 'hw_r_test-read-token-0001'
export const AS_READER = { authorization: `Bearer ${READ_TOKEN}` }
export const AS_WRITER = { authorization: `Bearer ${WRITE_KEY}` }

export const START_MS = Date.UTC(2011, 11, 9, 12)

export interface Put {
  readonly projection: string
  readonly key: string
  /** Part → row; a bare row is part ''. */
  readonly rows: ReadonlyMap<string, Row> | Row
  readonly states?: ReadonlyMap<string, unknown> | undefined
}

/** What the intake's double was handed, and what it answers. */
export interface ScriptedIntake extends Intake {
  readonly submitted: Incoming[][]
  answer: (incoming: Incoming, index: number) => IntakeResult
}

export interface World {
  readonly app: FastifyInstance
  readonly deps: ApiDeps
  readonly log: ArrayLog
  readonly intake: ScriptedIntake
  readonly keyStore: KeyStore
  readonly logged: { readonly level: string; readonly fields: object; readonly message: string }[]
  readonly quarantined: Map<string, QuarantinedBody>
  status: EngineStatus
  /** Commits rows at a position; `members` maps identity ids to profile ids. */
  commit(position: number, puts: readonly Put[], members?: ReadonlyMap<string, string>): void
  close(): Promise<void>
}

const packr = new Packr({ useRecords: false })

export async function createWorld(change: Partial<ApiDeps> = {}): Promise<World> {
  const memory = createMemoryStore()
  for (const projection of PROJECTIONS) serveBuild(memory, projection)
  const reader = memory.reader(PROJECTIONS.map(({ name, table }) => ({ projection: name, table })))
  const keyStore = createMemoryKeyStore()
  const log = arrayLog()
  const intake = scriptedIntake()
  const logged: World['logged'] = []
  const quarantined = new Map<string, QuarantinedBody>()
  const note = (level: string) => (fields: object, message: string) =>
    void logged.push({ level, fields, message })
  const world: { status: EngineStatus } = {
    status: { caughtUp: true, writer: 'running', clockTrusted: true, head: 0, projected: 0 },
  }
  const deps: ApiDeps = {
    configuration: {
      host: '127.0.0.1',
      allowedHosts: ['crm.example'],
      bodyLimitBytes: 1_000_000,
      afterWaitMs: 50,
      pageLimit: 100,
    },
    credentials: { writeKey: WRITE_KEY, readToken: READ_TOKEN },
    intake,
    log,
    store: reader,
    liveRows: createLiveRows({
      store: reader,
      committed: () => Number.POSITIVE_INFINITY,
      ask: () => undefined,
    }).rows,
    directory: keyStore,
    projections: new Map(PROJECTIONS.map((projection) => [projection.name, projection])),
    quarantine: {
      open: async (id) => quarantined.get(id),
      resubmit: async (id, corrected) => {
        if (!quarantined.has(id)) return { _tag: 'NothingKept' }
        const [result] = await intake.submit([{ value: corrected ?? 'as kept' }], {
          defaultSource: 'steward',
        })
        return result === undefined ? { _tag: 'NothingKept' } : { _tag: 'Submitted', result }
      },
    },
    metrics: createMetrics(),
    logger: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    version: '1.2.3',
    openEvent: ({ sealed: _, normaliser: __, ...event }: RecordedEvent) => ({ ...event, erased: 0 }),
    normaliseIdentity: (namespace, value) => normaliseIdentity(namespace, value),
    publishedConfiguration: async () => ({ all: () => [] }),
    confirmClock: () => {
      world.status = { ...world.status, clockTrusted: true }
    },
    status: () => world.status,
    ...change,
  }
  const app = await buildApp(deps)
  return Object.assign(world, {
    app,
    deps,
    log,
    intake,
    keyStore,
    logged,
    quarantined,
    commit(position: number, puts: readonly Put[], members: ReadonlyMap<string, string> = new Map()) {
      commit(memory, position, puts, members)
      reader.notifyPosition(position)
    },
    async close() {
      await app.close()
      await reader.close()
      await keyStore.close()
    },
  })
}

function buildName(projection: string): string {
  return `${projection}__v1_00000000`
}

function serveBuild({ writer }: MemoryStore, { name, table }: AnyProjection): void {
  const build = buildName(name)
  writer.createBuild({ projection: name, build, version: 1, configuration: '00000000', table })
  writer.serve(build)
}

function commit(
  { writer }: MemoryStore,
  position: number,
  puts: readonly Put[],
  members: ReadonlyMap<string, string>,
): void {
  writer.commit({
    builds: PROJECTIONS.map(({ name }) => buildName(name)),
    position,
    received: START_MS + position,
    writes: puts.map(({ projection, key, rows, states }) => ({
      build: buildName(projection),
      states: [...(states ?? [])].map(([stateKey, state]) => ({
        key: stateKey,
        state: Uint8Array.from(packr.pack(state)),
      })),
      rows: [{ key, rows: rows instanceof Map ? rows : new Map([['', rows as Row]]) }],
    })),
    poison: [],
    members,
    mark: '',
    evidence: [],
  })
}

function scriptedIntake(): ScriptedIntake {
  let position = 0
  const intake: ScriptedIntake = {
    submitted: [],
    answer(incoming, index) {
      position += 1
      if ('unparsable' in incoming) {
        const { reason, message } = incoming
        return {
          status: 'quarantined',
          id: undefined,
          position,
          quarantineId: `q${position}`,
          reason,
          message,
        }
      }
      return { status: 'appended', id: String(index), position, stream: 'stream-1', revision: index }
    },
    async submit(batch) {
      intake.submitted.push([...batch])
      return batch.map((incoming, index) => intake.answer(incoming, index))
    },
  }
  return intake
}

/** Identity ids that read well in a failed comparison. */
export function identityId(n: number): string {
  return n.toString(16).padStart(32, '0')
}
