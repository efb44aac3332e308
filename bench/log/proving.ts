import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditThread } from '../../engine/audit/audit.ts'
import { auditDirectory, startAudit } from '../../engine/audit/audit-thread.ts'
import { checkLogAgainstHeads, isSound } from '../../engine/audit/check.ts'
import { median } from '../main/findings.ts'
import { type CheckedLog, openCheckedLog } from './checked-log.ts'
import { createEventMaker } from './events.ts'
import { type LogFindings, shown } from './findings.ts'
import type { LogLab } from './lab.ts'

const PROOFS_IN_FLIGHT = 64
const PRIME = 7_919
const VERIFICATIONS = 3

/** Inclusion proofs from the running audit thread, then the whole log against its tree. */
export async function measureProofs(lab: LogLab, findings: LogFindings): Promise<void> {
  const { events, proofs } = lab.plan.audit
  const directory = lab.place('audited')
  const log = await openCheckedLog(join(directory, 'log'), { compression: 'off' })
  lab.onClose(() => log.close())
  await lab.fill(log, createEventMaker(events), 0, events)
  const failures: string[] = []
  const audit = startAudit({
    directory,
    headSignal: log.log.headSignal,
    origin: 'headwater/bench',
    signingKey: undefined,
    onHead: () => undefined,
    onRefusal: ({ message }) => failures.push(message),
    onFailure: (message) => failures.push(message),
  })
  lab.onClose(() => audit.close())
  const hashedMs = await caughtUp(lab, log, audit, failures)
  const rate = await proofRate(lab, audit, events, proofs)
  findings.measured.set('proofs', { value: rate })
  const storedBytes = sizeOf(join(directory, 'log'))
  const rates: number[] = []
  const enough = lab.share()
  while (rates.length < VERIFICATIONS && !(rates.length > 0 && enough()))
    rates.push(storedBytes / 1e3 / (await verificationMs(lab, directory, events)))
  const verified = median(rates)
  if (verified !== undefined) findings.measured.set('verify', { value: verified })
  findings.notes.push(
    `Proof: ${shown(events)} events were hashed and signed in ${shown(hashedMs / 1_000)} s; ${shown(proofs)} inclusion proofs of positions all over the log, ${PROOFS_IN_FLIGHT} asked at once; verification recomputes the tree from the segments (${shown(storedBytes / 1e6)} MB, not compressed) on all processors and compares tiles and heads, at ${rates.map(shown).join(', ')} MB/s.`,
  )
}

/** Of the whole log, starting its threads included. */
async function verificationMs(lab: LogLab, directory: string, events: number): Promise<number> {
  const startMs = lab.clock.monotonicMs()
  const report = await checkLogAgainstHeads({
    logDirectory: join(directory, 'log'),
    auditDirectory: auditDirectory(directory),
    outside: [],
    key: undefined,
  })
  assert(isSound(report) && report.events === events, 'log and tree agree')
  return lab.clock.monotonicMs() - startMs
}

/** Milliseconds until a tree head covers the log. */
async function caughtUp(
  lab: LogLab,
  { log }: CheckedLog,
  audit: AuditThread,
  failures: readonly string[],
): Promise<number> {
  const startMs = lab.clock.monotonicMs()
  const { position } = log.head()
  while ((audit.treeHead()?.position ?? 0) < position) {
    if (failures.length > 0) throw new Error(failures.join('; '))
    if (lab.aborted) throw new Error('the bench is ending')
    await sleep(10)
  }
  return lab.clock.monotonicMs() - startMs
}

async function proofRate(lab: LogLab, audit: AuditThread, events: number, proofs: number): Promise<number> {
  let asked = 0
  const ask = async (): Promise<void> => {
    while (asked < proofs && !lab.aborted) {
      const position = 1 + ((asked++ * PRIME) % events)
      const proof = await audit.proveInclusion(position)
      assert(proof?.position === position, 'every event has its proof')
    }
  }
  const startMs = lab.clock.monotonicMs()
  await Promise.all(Array.from({ length: PROOFS_IN_FLIGHT }, ask))
  return (asked * 1_000) / (lab.clock.monotonicMs() - startMs)
}

function sizeOf(directory: string): number {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.hwl'))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
}
