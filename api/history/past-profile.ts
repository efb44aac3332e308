import { strict as assert } from 'node:assert'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { foldEntity, type Moment } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import { columnList, compareText, decodeRow, encodeRow } from '../../engine/store/cells.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import type { Row } from '../../engine/store/table.ts'
import type { ApiDeps } from '../deps.ts'
import { HISTORY_LIMITS, profileAt, type TooMuchHistory } from './component.ts'
import { configurationAt } from './configuration.ts'

/** What a projection came to at a moment. */
export interface FoldedThen {
  /** With what the workspace had defined then. */
  readonly projection: AnyProjection
  readonly state: unknown
  readonly rows: readonly StoredRow[]
}

/** What a profile came to at a moment. */
interface ProfileThen {
  readonly id: IdentityId
  readonly members: readonly IdentityId[]
  /** In log order. */
  readonly events: readonly RecordedEvent[]
  readonly config: Configuration
  /** Its rows in a projection of grain `profile`, ordered by part, and the state behind them. */
  fold(projection: AnyProjection): FoldedThen
}

/** Answers undefined where nothing had been heard of the identity by that moment. */
export type PastProfiles = (
  identity: IdentityId,
  moment: Moment,
) => Promise<Either<TooMuchHistory, ProfileThen | undefined>>

/** Profiles at any moment, folded from the log's index with today's code. */
export function pastProfiles(
  deps: Pick<ApiDeps, 'log' | 'projections' | 'catalogue' | 'openEvent'>,
): PastProfiles {
  const { log, openEvent } = deps
  return async (identity, moment) => {
    const config = await configurationAt(deps, moment)
    const rules = identityRulesOf(config, DEFAULT_RULES)
    const found = await profileAt(log, identity, moment, { rules, limits: HISTORY_LIMITS })
    if (E.isLeft(found)) return found
    const { id, members, events } = found.right
    if (events.length === 0) return E.right(undefined)
    const open = openingOnce(openEvent)
    return E.right({
      id,
      members,
      events,
      config,
      fold: (projection) => {
        assert.ok(projection.table.grain === 'profile', `${projection.name} is folded per profile`)
        const own = projectionUnder(projection, config)
        const { state, rows } = foldEntity(
          { projection: own, key: id, atoms: members, config },
          events,
          moment,
          open,
        )
        return { projection: own, state, rows: storedRows(own, id, rows) }
      },
    })
  }
}

/** For several folds of the same events: what one has decrypted, the next finds open. */
function openingOnce(openEvent: ApiDeps['openEvent']): ApiDeps['openEvent'] {
  const opened = new Map<RecordedEvent, ReturnType<ApiDeps['openEvent']>>()
  return (recorded) => {
    const known = opened.get(recorded)
    if (known !== undefined) return known
    const event = openEvent(recorded)
    opened.set(recorded, event)
    return event
  }
}

/** As a store hands them out, ordered by part; rows that none could hold show nothing. */
export function storedRows(
  { table }: AnyProjection,
  key: string,
  rows: ReadonlyMap<string, Row>,
): readonly StoredRow[] {
  const columns = columnList(table)
  try {
    return [...rows]
      .sort(([a], [b]) => compareText(a, b))
      .map(([part, row]) => ({ key, part, row: decodeRow(columns, encodeRow(columns, row), 0) }))
  } catch {
    return []
  }
}
