import { strict as assert } from 'node:assert'
import { systemClock } from '../../engine/clock.ts'
import { openPublisher, type Publisher } from '../../engine/intake/nats/publisher.ts'
import type { Order, Reply } from './protocol.ts'
import { recordTape } from './record.ts'
import { runLoad } from './run.ts'
import { openTape, type TapeReader } from './tape.ts'

/** The load generator's own process: takes orders from the bench, one at a time. */
const SUBJECT = 'events.default.bench'

interface Connected {
  readonly publisher: Publisher
  readonly tape: TapeReader
  readonly order: Extract<Order, { kind: 'connect' }>
}

let connected: Connected | undefined
let runs = 0

// Ctrl-C reaches the whole group; the bench decides when we end, and ends us by going away too.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(0))
process.on('message', (order: Order) => {
  obey(order).then(tell, (error: unknown) => {
    tell({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  })
})

function tell(reply: Reply): void {
  if (process.connected) process.send?.(reply)
}

async function obey(order: Order): Promise<Reply> {
  switch (order.kind) {
    case 'record':
      return recordTape(order, systemClock)
    case 'connect':
      await disconnect()
      connected = { publisher: await openPublisher(order.natsUrl), tape: openTape(order.tape), order }
      return { kind: 'done' }
    case 'disconnect':
      await disconnect()
      return { kind: 'done' }
    case 'run': {
      assert.ok(connected !== undefined, 'a run needs a connection')
      const { publisher, tape } = connected
      const { httpPort, readToken } = connected.order
      runs += 1
      const context = { publisher, tape, httpPort, readToken, clock: systemClock, subject: SUBJECT }
      return { kind: 'report', report: await runLoad(order.run, { ...context, number: runs, tell }) }
    }
  }
}

async function disconnect(): Promise<void> {
  const { publisher, tape } = connected ?? {}
  connected = undefined
  tape?.close()
  await publisher?.close()
}
