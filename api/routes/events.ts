import type { Normalisation } from '../../engine/events/codec.ts'
import { formatMoney } from '../../engine/events/money.ts'
import { registry } from '../../engine/events/registry.ts'
import type { OpenedEvent } from '../../engine/privacy/sealing.ts'
import { formatInstant } from './cells.ts'

/** A recorded event in CloudEvents' JSON form, with attributes named as a sender names them. */
export function showEvent(event: OpenedEvent): Readonly<Record<string, unknown>> {
  return {
    specversion: '1.0',
    position: event.position,
    revision: event.revision,
    id: event.id,
    source: event.source,
    type: event.type,
    schema: event.schema,
    subject: event.stream,
    time: formatInstant(event.time),
    received: formatInstant(event.received),
    ...optional({
      sequence: event.sequence,
      actor: event.actor,
      origin: event.origin,
      causation: event.causation,
      correlation: event.correlation,
      basedon: event.basedOn,
      originaltime: event.originalTime === undefined ? undefined : formatInstant(event.originalTime),
      sent: event.sentTime === undefined ? undefined : formatInstant(event.sentTime),
    }),
    identities: event.identities,
    data: event.data,
    normalised: showNormalised(event.type, event.normalised),
    erased: event.erased,
  }
}

function optional(attributes: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}

/** Path → value; amounts and instants, scaled inside, as everywhere outside. */
function showNormalised(
  type: string,
  normalised: OpenedEvent['normalised'],
): Readonly<Record<string, unknown>> {
  const rules = registry.find(type)?.normalise ?? {}
  const shown = Object.entries(normalised).map(([path, value]) => {
    const rule = rules[path.replaceAll(/(?<=^|\.)\d+(?=\.|$)/g, '*')]
    return [path, typeof value === 'number' ? showNumber(rule, value) : value] as const
  })
  return Object.fromEntries(shown)
}

function showNumber(rule: Normalisation | undefined, value: number): unknown {
  if (rule === 'money') return formatMoney(value)
  return rule === 'instant' ? formatInstant(value) : value
}
