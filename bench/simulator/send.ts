import { parseArgs } from 'node:util'
import { systemClock } from '../../engine/clock.ts'
import { deliver } from './deliver.ts'
import { httpSender } from './sender.ts'
import { DEFAULT_PEOPLE, simulateYear } from './year.ts'

/**
 * Sends the year to the engine at HEADWATER_URL, with HEADWATER_WRITE_KEY and HEADWATER_READ_TOKEN, and tells its parent how far it is. Exit
 * code 1 when the engine acknowledged nothing for a while.
 */

const BATCH_EVENTS = 250
const BATCHES_IN_FLIGHT = 4
const GIVE_UP_AFTER_MS = 30_000
const TELL_EVERY_EVENTS = 500

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ options: { end: text, people: text, seed: text } })
  const { deliveries, setup } = simulateYear({
    end: Number(values.end ?? systemClock.nowMs()),
    people: Number(values.people ?? DEFAULT_PEOPLE),
    seed: Number(values.seed ?? 1),
  })
  const total = setup.length + deliveries.length
  let sent = 0
  const tell = (): unknown => process.send?.({ sent, total })
  const silence = new AbortController()
  const givingUp = setTimeout(() => silence.abort(), GIVE_UP_AFTER_MS)
  const sender = httpSender(process.env['HEADWATER_URL'] ?? '', {
    writeKey: process.env['HEADWATER_WRITE_KEY'] ?? '',
    readToken: process.env['HEADWATER_READ_TOKEN'] ?? '',
  })
  const options = {
    sender,
    batchEvents: BATCH_EVENTS,
    signal: silence.signal,
    onAcknowledged: () => {
      givingUp.refresh()
      sent += 1
      if (sent % TELL_EVERY_EVENTS === 0) tell()
    },
  }
  tell()
  await deliver(setup, { ...options, inFlight: 1 })
  await deliver(deliveries, { ...options, inFlight: BATCHES_IN_FLIGHT })
  clearTimeout(givingUp)
  tell()
  process.exitCode = sent === total ? 0 : 1
  process.disconnect?.()
}

// Whoever started us is gone: so is the engine that we send to.
process.once('disconnect', () => process.exit())
await main()
