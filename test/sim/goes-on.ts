import { setTimeout } from 'node:timers/promises'

/** Many more than anything takes to come to its end by itself. */
const LOOKS = 50

/** Whether anything takes turn after turn of the event loop, though every run is over: it would do so for ever. */
export async function goesOn(): Promise<boolean> {
  for (let look = 0; look < LOOKS; look++) {
    await setTimeout(1)
    if (!process.getActiveResourcesInfo().includes('Immediate')) return false
  }
  return true
}
