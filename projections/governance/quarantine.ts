import type { Projection } from '../../engine/projector/projection.ts'
import { type FieldStates, fields } from '../../engine/reducers/fields.ts'
import { first, latest } from '../../engine/reducers/latest.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { concernsOf } from '../defined.ts'
import { RANKED_BY, rankingFrom } from '../ranking.ts'
import { explainColumns, rowOf } from '../row.ts'

const kept = fields({
  quarantine_id: first<string>(),
  reason: first<string>(),
  message: first<string>(),
  source: first<string>(),
  event_type: first<string>(),
  hash: first<string>(),
  size_bytes: first<number>(),
  received: first<number>(),
  resubmitted_position: latest<number>(),
})

type State = FieldStates<typeof kept.rules>

const columns = {
  quarantine_id: { type: 'text', about: 'Id of the quarantined body.' },
  reason: { type: 'text', about: 'Why the intake refused it.' },
  message: { type: 'text', about: 'The reason in words.' },
  source: { type: 'text', about: 'Source that sent it.' },
  event_type: { type: 'text', about: 'Type that the event claimed, where it could be read.' },
  hash: { type: 'text', about: 'Keyed hash of the body.' },
  size_bytes: { type: 'integer', about: 'Size of the body.' },
  received: { type: 'instant', about: 'When it was refused.' },
  status: { type: 'text', about: '`open` or `resubmitted`.' },
  resubmitted_position: { type: 'integer', about: 'Position of the corrected event.' },
} as const satisfies Readonly<Record<string, Column>>

/** What the intake refused and keeps, and whether it was corrected and sent again. */
export const quarantine: Projection<State, 'event.quarantined' | 'event.resubmitted'> = {
  name: 'quarantine',
  version: 2,
  handles: ['event.quarantined', 'event.resubmitted'],
  configuredBy: RANKED_BY,
  concerns: concernsOf(() => false),
  keys: (event) => [event.data.quarantine_id],
  initial: () => kept.initial,
  reduce(state, event) {
    switch (event.type) {
      case 'event.quarantined': {
        const { quarantine_id, reason, message, source, event_type, hash, size_bytes } = event.data
        const refused = { quarantine_id, reason, message, source, event_type, hash, size_bytes }
        return kept.writeAll(state, event, { ...refused, received: event.received })
      }
      case 'event.resubmitted': {
        const { quarantine_id, position } = event.data
        return kept.writeAll(state, event, { quarantine_id, resubmitted_position: position })
      }
    }
  },
  join: kept.join,
  explain: (state, config) => explainColumns(columns, kept.explain(state, rankingFrom(config))),
  table: {
    grain: 'record',
    columns,
    indexes: [['received'], ['status', 'received'], ['reason']],
    rows(state, config) {
      const values = kept.values(state, rankingFrom(config))
      if (values.quarantine_id === undefined) return oneRow(undefined)
      const resubmitted = typeof values.resubmitted_position === 'number'
      return oneRow(rowOf(columns, { ...values, status: resubmitted ? 'resubmitted' : 'open' }))
    },
  },
}
