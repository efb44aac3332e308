import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock } from '../../engine/clock.ts'
import { registry } from '../../engine/events/registry.ts'
import { guardClock } from '../../engine/intake/clock-guard.ts'
import type { IntakeOptions } from '../../engine/intake/intake.ts'
import { createIntake } from '../../engine/intake/intake.ts'
import { openQuarantine } from '../../engine/intake/quarantine.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { createMemoryLog, type MemoryLogOptions } from '../../engine/log/memory.ts'
import { createMemoryKeyStore } from '../../engine/privacy/memory-key-store.ts'
import type { ErasingKeyStore } from '../../engine/privacy/privacy.ts'
import type { OpenedEvent } from '../../engine/privacy/sealing.ts'
import { openEvent, reassemble } from '../../engine/privacy/sealing.ts'

/** 2026-03-01T12:00:00Z. */
export const NOON = Date.UTC(2026, 2, 1, 12)

/** An intake over memory, with what a test looks at. */
export function intakeWorld(
  overrides: Partial<Omit<IntakeOptions, 'keyStore'>> & { readonly keyStore?: ErasingKeyStore } = {},
  logOptions: MemoryLogOptions = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-intake-'))
  const clock = manualClock(NOON)
  const log = overrides.log ?? createMemoryLog(logOptions)
  const keyStore = overrides.keyStore ?? createMemoryKeyStore({ clock })
  const quarantine = openQuarantine(directory, keyStore, clock)
  const guard = guardClock(clock, 0)
  const intake = createIntake({
    log,
    keyStore,
    quarantine,
    registry,
    clock,
    guard,
    maxDepth: 64,
    eventLimitBytes: 1024 * 1024,
    queueEvents: 1_000,
    queueBytes: 16 * 1024 * 1024,
    reassemble: (event) => reassemble(event, keyStore),
    onResult: () => undefined,
    ...overrides,
  })
  return {
    clock,
    log,
    keyStore,
    quarantine,
    guard,
    intake,
    async send(...values: readonly unknown[]): Promise<readonly IntakeResult[]> {
      return intake.submit(
        values.map((value) => ({ value })),
        { defaultSource: 'web' },
      )
    },
    async sendOne(value: unknown): Promise<IntakeResult> {
      const [result] = await intake.submit([{ value }], { defaultSource: 'web' })
      if (result === undefined) throw new Error('one event has one result')
      return result
    },
    async events(): Promise<readonly OpenedEvent[]> {
      const found: OpenedEvent[] = []
      for await (const batch of log.read())
        found.push(...batch.map((event) => openEvent(event, keyStore, registry)))
      return found
    },
    async close(): Promise<void> {
      await intake.close()
      await quarantine.close()
      await keyStore.close()
      await log.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export type IntakeWorld = ReturnType<typeof intakeWorld>
