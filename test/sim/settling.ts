import type { Timeline } from './timeline.ts'
import { must } from './violation.ts'

/** Tasks of one run: several times what any takes. */
const MOST_TASKS = 4_000
/** Turns without a task while something is still awaited. */
const MOST_IDLE = 500

/** Lets time go by until nothing is awaited. `unsettled` says what is, and throws where something doesn't hold. */
export async function untilSettled(timeline: Timeline, unsettled: () => readonly string[]): Promise<void> {
  let idle = 0
  for (let tasks = 0; unsettled().length > 0; tasks++) {
    must(tasks < MOST_TASKS && idle < MOST_IDLE, () => `it never comes to rest: ${unsettled().join(', ')}`)
    idle = (await timeline.step()) ? 0 : idle + 1
  }
}
