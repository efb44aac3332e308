import type { NewEvent } from '../../engine/events/event.ts'
import type { Identity } from '../../engine/events/identity.ts'
import { registry } from '../../engine/events/registry.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import type { KeyStore } from '../../engine/privacy/privacy.ts'
import { sealEvent } from '../../engine/privacy/sealing.ts'
import { median } from '../main/findings.ts'
import { type CheckedLog, openCheckedLog } from './checked-log.ts'
import { BATCH_EVENTS, type BenchEvent, createEventMaker } from './events.ts'
import { type LogFindings, shown } from './findings.ts'
import type { LogLab } from './lab.ts'
import type { Contender } from './peers/peer.ts'
import { rateOf } from './rounds.ts'

const TYPE = 'cdp.track'

/** Appends whose personal parts are sealed: each event another person's, and every second one somebody new. */
export async function measureSealed(lab: LogLab, findings: LogFindings): Promise<void> {
  const { rounds, batches } = lab.plan.sealed
  const log = await openCheckedLog(lab.place('sealed'))
  lab.onClose(() => log.close())
  const keys = openKeyStore(lab.place('sealed-keys'), { clock: lab.clock, create: true })
  lab.onClose(() => keys.close())
  const contender = sealing(log, keys)
  const maker = createEventMaker(BATCH_EVENTS * batches * (rounds + 1))
  const rates: number[] = []
  const enough = lab.share()
  for (let round = 0; round <= rounds && !(round > 1 && enough()); round++) {
    const first = round * batches * BATCH_EVENTS
    const events = Array.from({ length: batches }, (_, i) =>
      maker.batch(first + i * BATCH_EVENTS).map(personal),
    )
    const rate = await rateOf(contender, events, lab.clock)
    if (round > 0) rates.push(rate)
  }
  const rate = median(rates)
  if (rate === undefined) return
  findings.measured.set('sealed', { value: rate })
  findings.notes.push(
    `Sealing: 1,000 events a commit, each another person's, half of them new (an identity and a data key made durable in the key store before the event is appended); rounds of ${rates.map(shown).join(', ')} events/s.`,
  )
}

/** Whose events they are: every second one of somebody never seen, the others of those before. */
function personal(event: BenchEvent, index: number): BenchEvent {
  return {
    ...event,
    type: TYPE,
    data: { event: event.type, userId: event.id, properties: event.data },
    revision: index,
  }
}

function sealing(log: CheckedLog, keys: KeyStore): Contender {
  const seen: string[] = []
  let before = Promise.resolve()
  const sealOne = (event: BenchEvent, index: number): BenchEvent => {
    const isNew = index % 2 === 0 || seen.length < BATCH_EVENTS
    if (isNew) seen.push(event.id)
    const value = isNew ? event.id : (seen[(seen.length - BATCH_EVENTS + index) % seen.length] ?? event.id)
    const identity: Identity = { id: keys.identify({ namespace: 'user', value }), namespace: 'user' }
    return { ...event, ...sealedParts(event, identity, keys), identities: [identity] }
  }
  return {
    ...log,
    append: async (batch, index) => {
      const sealed = batch.map(sealOne)
      const flushed = keys.flush()
      const turn = before.then(() => flushed)
      before = turn
      await turn
      await log.append(sealed, index)
    },
  }
}

function sealedParts(
  event: BenchEvent,
  leading: Identity,
  keys: KeyStore,
): Pick<NewEvent, 'data' | 'normalised' | 'sealed'> {
  const { source, id, type, data, normalised } = event
  const definition = registry.find(type)
  const context = { source, id, type }
  return sealEvent({ definition, context, data, normalised, leading: leading.id }, keys)
}
