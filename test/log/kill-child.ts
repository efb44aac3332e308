import { openSync, writeSync } from 'node:fs'
import * as E from 'fp-ts/lib/Either.js'
import { anEvent } from './events.ts'
import { opened } from './support.ts'

/**
 * Appends until it is killed, and writes to a file what was acknowledged. Arguments: directory, run, that file. Says
 * on its standard output when the first event was.
 */
const [directory = '', run = '', acknowledgements = ''] = process.argv.slice(2)
const file = openSync(acknowledgements, 'w')
const log = await opened(directory, { segmentBytes: 64 * 1024, chunkBytes: 8 * 1024 })
let next = 0
let told = false

async function write(batchSize: number): Promise<void> {
  for (;;) {
    const events = Array.from({ length: batchSize }, () => anEvent({ id: `${run}-${next++}`, stream: 's-1' }))
    const results = await log.append(events.map((event) => ({ event })))
    for (const [i, result] of results.entries()) {
      if (E.isLeft(result)) continue
      writeSync(file, `${result.right.position} ${events[i]?.id}\n`)
      if (!told) process.stdout.write('acknowledged\n')
      told = true
    }
  }
}

await Promise.all([write(1), write(3), write(20)])
