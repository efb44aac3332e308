import { idsIn } from '../../api/erasure/logged-rounds.ts'
import { GROUP_TYPES } from '../../api/erasure/touched.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { sameJson } from '../../engine/intake/same-content.ts'
import type { Opener } from '../../engine/privacy/privacy.ts'
import { reassemble } from '../../engine/privacy/sealing.ts'
import type { Sent } from './events.ts'
import { must } from './violation.ts'

/** What the intake told a sender. */
export interface Acknowledged {
  readonly sent: Sent
  readonly result: Exclude<IntakeResult, { status: 'refused' }>
}

/** The engine's own events, which nobody sends. */
const OWN_SOURCE = 'headwater'

/**
 * Positions and revisions without gaps, time never back, every (source, id) once, nothing that nobody sent and everything
 * that was acknowledged, with its content, where the answer said.
 */
export function checkLog(
  events: readonly RecordedEvent[],
  sent: readonly Sent[],
  acknowledged: readonly Acknowledged[],
  opener: Opener,
): void {
  checkOrder(events)
  checkOrigin(events, sent, opener)
  for (const each of acknowledged) checkKept(events, each)
}

function checkOrder(events: readonly RecordedEvent[]): void {
  const revisions = new Map<string, number>()
  let received = 0
  for (const [at, event] of events.entries()) {
    must(event.position === at + 1, () => `position ${event.position} follows ${at}`)
    must(event.received >= received, () => `received goes back at ${event.position}`)
    received = event.received
    const revision = (revisions.get(event.stream) ?? -1) + 1
    must(
      event.revision === revision,
      () => `revision ${event.revision}, not ${revision}, at ${event.position}`,
    )
    revisions.set(event.stream, revision)
  }
}

function checkOrigin(events: readonly RecordedEvent[], sent: readonly Sent[], opener: Opener): void {
  const sendings = Map.groupBy(sent, nameOf)
  const forgotten = new Set(
    events.flatMap(({ type, data }) => (type === 'person.erased' ? idsIn(data['erased']) : [])),
  )
  const mayBeLost = ({ type, identities }: RecordedEvent): boolean =>
    forgotten.size > 0 && (GROUP_TYPES.has(type) || identities.some(({ id }) => forgotten.has(id)))
  const seen = new Map<string, number>()
  for (const event of events) {
    const name = nameOf(event)
    must(!seen.has(name), () => `${name} is in the log twice: at ${seen.get(name)} and ${event.position}`)
    seen.set(name, event.position)
    if (event.source === OWN_SOURCE) continue
    const { data, erased } = reassemble(event, opener)
    must(
      erased === 0 || mayBeLost(event),
      () => `${name} at ${event.position} doesn't open, and nobody was erased`,
    )
    const said = sendings.get(name) ?? []
    const isSaid = said.some(
      (each) => each['type'] === event.type && (erased > 0 || sameJson(each['data'], data)),
    )
    must(isSaid, () => `nobody sent what the log has of ${name} at ${event.position}`)
  }
}

function checkKept(events: readonly RecordedEvent[], { sent, result }: Acknowledged): void {
  const event = events[result.position - 1]
  const name = nameOf(sent)
  const told = `${name} was acknowledged as ${result.status} at ${result.position}`
  must(event !== undefined, () => `${told} and is lost`)
  if (result.status === 'quarantined') {
    const isIt = event.type === 'event.quarantined' && event.data['quarantine_id'] === result.quarantineId
    must(isIt, () => `${told}, where ${event.type} stands`)
    return
  }
  must(nameOf(event) === name, () => `${told}, where ${nameOf(event)} stands`)
  const { stream, revision } = result
  must(event.stream === stream && event.revision === revision, () => `${told} in another place of its stream`)
}

export function nameOf({ source, id }: { readonly source: string; readonly id: string }): string {
  return `${source}/${id}`
}
