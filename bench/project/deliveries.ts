import { createRandom } from '../simulator/random.ts'
import type { SourceEvent } from '../simulator/source-event.ts'
import { createTraffic } from '../simulator/traffic.ts'

/** How events come: each once and in the order of time, or as systems send them. */
export type Order = 'clean' | 'dirty'

const REPEATED = 0.05
const CONFLICTING = 0.05
const LATE = 0.1
/** A late event comes at most so many deliveries after its time. */
const MOST_LATE = 2_000
/** Between two events, ms. */
const STEP_MS = 100
const SOURCES = ['crm', 'erp', 'marketing'] as const

/**
 * So many deliveries of the steady mix up to `untilMs`. Dirty: a tenth late, one in twenty a repetition of one before, one in
 * twenty a contradiction of what another source says of the same person.
 */
export function deliveries(
  order: Order,
  count: number,
  people: number,
  untilMs: number,
): readonly SourceEvent[] {
  const traffic = createTraffic({ seed: 1, people })
  const random = createRandom('dirty')
  const sent: SourceEvent[] = []
  const late = new Map<number, SourceEvent[]>()
  let lateCount = 0
  for (let n = 0; sent.length + lateCount < count; n++) {
    const due = late.get(n) ?? []
    late.delete(n)
    lateCount -= due.length
    sent.push(...due)
    const timeMs = untilMs - (count - n) * STEP_MS
    const draw = order === 'clean' ? 1 : random.next()
    if (draw < REPEATED && sent.length > 0) sent.push(random.pick(sent))
    else if (draw < REPEATED + CONFLICTING)
      sent.push(contradiction(n, random.integer(0, people - 1), timeMs, random))
    else if (draw < REPEATED + CONFLICTING + LATE) {
      const at = n + 1 + random.integer(0, MOST_LATE)
      late.set(at, [...(late.get(at) ?? []), traffic.next(timeMs)])
      lateCount += 1
    } else sent.push(traffic.next(timeMs))
  }
  for (const events of late.values()) sent.push(...events)
  return sent
}

function contradiction(
  n: number,
  person: number,
  timeMs: number,
  random: ReturnType<typeof createRandom>,
): SourceEvent {
  const traits = {
    phone: `+4420${70_000_000 + random.integer(0, 9_999)}`,
    title: `title ${random.integer(0, 9)}`,
  }
  return {
    id: `contradiction-${n}`,
    source: random.pick(SOURCES),
    type: 'cdp.identify',
    time: new Date(timeMs).toISOString(),
    identities: [`user:u${person}`],
    data: { userId: `u${person}`, traits },
  }
}
