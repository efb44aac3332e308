import type { Clock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { EngineIntake } from '../../engine/intake/intake.ts'
import type { LogReader } from '../../engine/log/log.ts'
import type { KeyStore } from '../../engine/privacy/privacy.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { StoreReader } from '../../engine/store/store.ts'
import { publishedConfiguration } from '../published-configuration.ts'
import { linkSurest } from './automatic.ts'
import { DuplicatesJob, type DuplicatesMode } from './duplicates.ts'
import { FIND_LIMITS, type FindLimits } from './find.ts'
import { threadFinder } from './thread.ts'

export interface DuplicatesSettings {
  /** Default `off`. */
  readonly duplicates?: DuplicatesMode | 'off' | undefined
  /** 0: only on request. Default 24. */
  readonly duplicatesHours?: number | undefined
  /** For tests. */
  readonly duplicatesLimits?: FindLimits | undefined
}

interface Surroundings {
  /** The file of the read models. */
  readonly storePath: string
  readonly log: LogReader
  readonly keyStore: KeyStore
  readonly intake: Pick<EngineIntake, 'record'>
  readonly store: Pick<StoreReader, 'members'>
  readonly clock: Clock
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** An engine's search for duplicates; undefined where it is off. */
export function keepDuplicates(
  { duplicates = 'off', duplicatesHours = 24, duplicatesLimits = FIND_LIMITS }: DuplicatesSettings,
  { storePath, log, keyStore, intake, store, clock, onNotice }: Surroundings,
): DuplicatesJob | undefined {
  if (duplicates === 'off') return undefined
  const open = (recorded: RecordedEvent) => openEvent(recorded, keyStore, registry)
  const configuration = publishedConfiguration(log, [], open)
  const rules = async () => identityRulesOf(await configuration(), DEFAULT_RULES)
  const job: DuplicatesJob = new DuplicatesJob({
    ...{ mode: duplicates, everyHours: duplicatesHours, log, clock, onNotice },
    finder: threadFinder(storePath, duplicatesLimits),
    link: (found) => {
      const decided = () => job.decided()
      return linkSurest({ intake, directory: keyStore, store, rules, decided }, found)
    },
  })
  return job
}
