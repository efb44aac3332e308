import { type Log, LogDamaged } from '../log/log.ts'
import type { EngineIntake } from './intake.ts'

const KNOWN_BY_HEART: ReadonlySet<string> = new Set(['source.registered', 'rules.published'])

/**
 * Hands the intake what it knows by heart: it follows from the log, of which blocks without such events aren't read. Where
 * the log is damaged it goes on behind that. Answers those damages, with which something may be lost.
 */
export async function recall(
  log: Pick<Log, 'read' | 'head'>,
  intake: Pick<EngineIntake, 'learn' | 'lose'>,
): Promise<readonly LogDamaged[]> {
  const damages: LogDamaged[] = []
  const end = log.head().position + 1
  for (let from = 1; from < end; ) {
    try {
      for await (const batch of log.read({ from, types: KNOWN_BY_HEART }))
        for (const event of batch) intake.learn(event.type, event.data)
      break
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error
      damages.push(error)
      const until = error.untilPosition ?? end
      intake.lose(error.fromPosition, until)
      from = Math.max(from + 1, until)
    }
  }
  return damages
}
