import type { DestinationStream, Logger } from 'pino'
import { pino } from 'pino'
import { nameAndPlace } from './failure-place.ts'

/**
 * The process's logger. `onLine` hears the level of every line. What is logged names no person: no addresses, no values,
 * no messages of errors that aren't ours.
 */
export function openLogger(
  level: string,
  destination: DestinationStream,
  onLine: (level: string) => void,
): Logger {
  const hooks = {
    logMethod(this: Logger, args: Parameters<typeof this.info>, method: typeof this.info, of: number): void {
      onLine(this.levels.labels[of] ?? 'other')
      method.apply(this, args)
    },
  }
  return pino({ level, hooks }, destination)
}

/** What Node prints of an error that nobody caught quotes its message and the values that were compared: customers' data. */
export function dieQuietly(logger: Logger): void {
  process.on('uncaughtException', (error) => {
    logger.fatal({ error: nameAndPlace(error) }, 'a defect ended the process')
    process.exit(1)
  })
}
