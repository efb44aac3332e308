import { formatMoney } from '../../engine/events/money.ts'
import type { Configuration } from '../../engine/projector/projection.ts'
import type { Kept } from '../../engine/reducers/choice.ts'
import { conflictOf, winnerOf } from '../../engine/reducers/conflicts.ts'
import type { Rules } from '../../engine/reducers/fields.ts'
import type { GovernedState } from '../../engine/reducers/governed.ts'
import type { Candidate } from '../../engine/reducers/rule.ts'
import type { Column, ColumnType, Row } from '../../engine/store/table.ts'
import type { GovernedFields } from '../governed.ts'
import { rankingFrom } from '../ranking.ts'
import { overridesOf } from '../survivorship.ts'

/** What the views `conflict` and `record_conflict` show of a field that sources contradict each other about. */

export const CONFLICT_COLUMNS = {
  view: { type: 'text', about: 'Read model that the field belongs to.' },
  field: { type: 'text', about: 'The field.' },
  status: {
    type: 'text',
    about: '`open`; `review`: a steward decides; `resolved`: one has decided, or holds the field locked.',
  },
  rule: { type: 'text', about: 'Rule by which the value stands meanwhile, or `locked` or `resolved`.' },
  winner: { type: 'json', about: 'The write whose value stands: value, source, event, position, time.' },
  candidates: { type: 'json', about: 'The writes that contradict each other, newest first.' },
  sources: { type: 'json', about: 'Their sources.' },
  positions: { type: 'json', about: 'Their positions in the log.' },
  since: { type: 'instant', about: 'When the contradiction arose; of a resolved one, when it was decided.' },
  window_seconds: {
    type: 'integer',
    about:
      'Writes no further apart than this count as unaware of each other, unless they say what they had seen.',
  },
  decided_by: { type: 'text', about: 'The steward who resolved it, or holds it locked.' },
} as const satisfies Readonly<Record<string, Column>>

export const CONFLICT_INDEXES = [
  ['status', 'since'],
  ['field', 'status'],
] as const

/** Rows by field name. Fields that nobody contradicts have none. */
export function conflictRows<R extends Rules>(
  fields: GovernedFields<R>,
  state: GovernedState<R>,
  config: Configuration,
): ReadonlyMap<string, Row> {
  const kept = fields.in(config)
  const ranking = rankingFrom(config)
  const decisions = kept.decisions(state)
  const rows = new Map<string, Row>()
  for (const [name, spec] of fields.fields) {
    const rule = kept.rules[name]
    if (!spec.isResolvable || rule === undefined) continue
    const writes = (kept.get(state, name) ?? []) as Kept<unknown>
    // Nearly always one source, or none.
    if (decisions === undefined && writes[0]?.[2] === writes.at(-1)?.[2]) continue
    const windowMs = windowOf(fields, name, config)
    const read = (value: unknown): unknown => fields.read(name, value)
    const found = conflictOf({ name, rule, kept: writes, windowMs, read }, decisions)
    if (found === undefined) continue
    const standing = kept.standingOf(state, name, writes, rule, ranking)
    const decided = winnerOf({ rule, kept: writes }, standing, ranking)
    const show = (write: Candidate<unknown>): Shown => shown(write, spec.type)
    rows.set(name, {
      view: fields.view,
      field: name,
      status: found.status,
      rule: decided.rule,
      winner: decided.winner === undefined ? null : show(decided.winner),
      candidates: found.candidates.map(show),
      sources: [...new Set(found.candidates.map((each) => each[2]))],
      positions: found.candidates.map((each) => each[5]),
      since: found.since,
      window_seconds: Math.floor(windowMs / 1_000),
      decided_by: found.decidedBy,
    })
  }
  return rows
}

function windowOf<R extends Rules>(fields: GovernedFields<R>, name: string, config: Configuration): number {
  const overrides = overridesOf(config, fields)
  return overrides.get(name)?.windowMs ?? overrides.get('')?.windowMs ?? fields.windowMs
}

/** ECMA-262, 21.4.1.1. */
const LAST_DATE_MS = 8.64e15

interface Shown {
  readonly [name: string]: unknown
}

function shown([value, time, source, , event, position]: Candidate<unknown>, type: ColumnType): Shown {
  return { value: shownValue(value, type), source, event, position, time: new Date(time).toISOString() }
}

/** As the row's own cell is shown: amounts written out, instants as text. */
function shownValue(value: unknown, type: ColumnType): unknown {
  if (typeof value !== 'number') return value
  if (type === 'money') return formatMoney(value)
  return type === 'instant' && Math.abs(value) <= LAST_DATE_MS ? new Date(value).toISOString() : value
}
