import { Unpackr } from 'msgpackr'
import type { Explanation } from '../reducers/rule.ts'
import type { CellValue } from '../store/table.ts'
import type { Side } from './diff.ts'
import { projectionUnder } from './projection-under.ts'

/** A write behind a value: which event, by which rule. */
export interface Because {
  /** Column, or `column.member` of a json column. */
  readonly field: string
  readonly rule: string
  readonly event: string
  readonly source: string
  readonly position: number
  /** When it happened (ms). */
  readonly time: number
}

type Explain = (column: string, value: CellValue) => readonly Because[]

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' })

/** Of one key's rows: the writes that won each column, in either build. */
export function explainRow(
  from: Side,
  to: Side,
  key: string,
): { readonly from: Explain; readonly to: Explain } {
  const [before, after] = [explanations(from, key), explanations(to, key)]
  return {
    from: (column, value) => (value === null ? [] : winnersOf(column, before, after)),
    to: (column, value) => (value === null ? [] : winnersOf(column, after, before)),
  }
}

type Explained = Readonly<Record<string, Explanation<unknown>>>

function explanations({ snapshot, build, projection, config }: Side, key: string): Explained {
  if (projection.explain === undefined || config === undefined) return {}
  const own = projectionUnder(projection, config)
  const keys = projection.table.grain === 'profile' ? snapshot.membersOf(key) : [key]
  let joined: unknown
  for (const member of keys) {
    const bytes = snapshot.state(build, member)
    if (bytes === undefined) continue
    const state: unknown = unpackr.unpack(bytes)
    joined = joined === undefined ? state : own.join(joined, state, config)
  }
  return joined === undefined ? {} : (own.explain?.(joined, config) ?? {})
}

/** Of a json column only the members whose winners aren't the same on the other side. */
function winnersOf(column: string, own: Explained, other: Explained): readonly Because[] {
  return Object.entries(own)
    .filter(
      ([field, explanation]) =>
        field === column || (field.startsWith(`${column}.`) && isNew(explanation, other[field])),
    )
    .flatMap(([field, { rule, winners }]) =>
      winners.map(([, time, source, , event, position]) => ({ field, rule, event, source, position, time })),
    )
}

function isNew(explanation: Explanation<unknown>, other: Explanation<unknown> | undefined): boolean {
  const places = ({ winners }: Explanation<unknown>) => winners.map(([, , , , , position]) => position).join()
  return other === undefined || places(explanation) !== places(other)
}
