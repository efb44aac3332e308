import type { Configuration } from '../../engine/projector/projection.ts'
import { newer, preferred } from '../../engine/reducers/candidate.ts'
import type { Kept } from '../../engine/reducers/choice.ts'
import type { Candidate, Explanation } from '../../engine/reducers/rule.ts'
import { rankingFrom } from '../ranking.ts'
import { utcDay } from '../values.ts'
import { type DealState, deal } from './deal.ts'
import { type Outcome, type Stage, stagesFrom } from './stages.ts'

/** Where a deal stands: what follows from several of its fields and the published stages. */

interface Standing {
  /** Id of a known stage, else the stage as sent. */
  readonly stage: string | null
  readonly known: Stage | undefined
  readonly status: 'open' | Outcome
  /** The write that brought the deal there. */
  readonly since: Candidate<unknown> | undefined
}

/** A value and the write that it follows from. */
interface Chosen<V> {
  readonly value: V | null
  readonly rule: 'override' | 'latest' | 'stage_default'
  readonly winner: Candidate<unknown> | undefined
}

export function derivedOf(state: DealState, config: Configuration) {
  const standing = standingOf(state, config)
  const { stage, known, status } = standing
  return {
    stage,
    stage_label: known?.label ?? stage,
    stage_position: stage === null ? null : (stagesFrom(config).order(stage) ?? null),
    status,
    probability: probabilityOf(state, config, standing).value,
    forecast_category: categoryOf(state, config, standing).value,
    forecast_amount: forecastAmountOf(state, config, standing).value,
    closed_on: closedOn(state, config, standing),
    reason: reasonOf(state, config, standing)?.[0] ?? null,
  }
}

/** Columns that hang on where the deal stands are explained by the write that they follow from. */
export function explainDeal(
  fields: typeof deal,
  state: DealState,
  config: Configuration,
): Readonly<Record<string, Explanation<unknown> | undefined>> {
  const explained = fields.in(config).explain(state, rankingFrom(config))
  const standing = standingOf(state, config)
  const moves = [...writesIn(explained.stage), ...writesIn(explained.outcome)]
  const by = { rule: 'latest', winner: standing.since } as const
  const reason = reasonOf(state, config, standing)
  const probability = [...writesIn(explained.overridden_probability), ...writesIn(explained.probability)]
  const category = [...writesIn(explained.overridden_category), ...writesIn(explained.forecast_category)]
  const amounts = [...writesIn(explained.overridden_amount), ...writesIn(explained.amount)]
  const forecast = forecastAmountOf(state, config, standing)
  return {
    ...explained,
    stage: explanation({ ...by, value: standing.stage }, moves),
    status: explanation({ ...by, value: standing.status }, moves),
    reason: reason === undefined ? undefined : explained.reason,
    probability: explanation(probabilityOf(state, config, standing), probability),
    forecast_category: explanation(categoryOf(state, config, standing), category),
    forecast_amount:
      forecast.rule === 'override' ? explanation(forecast, amounts) : among(explained.amount, amounts),
  }
}

/** Winning or losing beats whatever else was written at its instant; only a later step to another stage reopens. */
function standingOf(state: DealState, config: Configuration): Standing {
  const stages = stagesFrom(config)
  const moved = newestOf(deal.base.get(state, 'stage'), config)
  const sent = moved?.[0] || null
  const stage = sent === null ? undefined : stages.find(sent)
  const closing = newestOf(deal.base.get(state, 'outcome'), config)
  const outcome = closing?.[0] ?? undefined
  const reopened = closing !== undefined && isAfter(moved, closing) && stage?.closed !== outcome
  if (outcome === undefined || reopened) {
    return { stage: stage?.id ?? sent, known: stage, status: stage?.closed ?? 'open', since: moved }
  }
  const final = stage?.closed === outcome ? stage : stages.closing(outcome)
  return { stage: final.id, known: final, status: outcome, since: closing }
}

function probabilityOf(state: DealState, config: Configuration, standing: Standing): Chosen<number> {
  return chosen<number>(
    newestOf(deal.base.get(state, 'overridden_probability'), config),
    newestOf(deal.base.get(state, 'probability'), config),
    standing.known?.probability,
    standing,
  )
}

function categoryOf(state: DealState, config: Configuration, standing: Standing): Chosen<string> {
  return chosen<string>(
    newestOf(deal.base.get(state, 'overridden_category'), config),
    newestOf(deal.base.get(state, 'forecast_category'), config),
    standing.known?.forecast_category,
    standing,
  )
}

/** An override holds until it is lifted (null) or the deal closes; the amount of a closed deal is its own. */
function forecastAmountOf(state: DealState, config: Configuration, standing: Standing): Chosen<number> {
  const overridden = newestOf(deal.base.get(state, 'overridden_amount'), config)
  if (standing.status === 'open' && typeof overridden?.[0] === 'number') {
    return { value: overridden[0], rule: 'override', winner: overridden }
  }
  const amount = deal.in(config).chosen(state, 'amount', rankingFrom(config))
  return { value: typeof amount?.[0] === 'number' ? amount[0] : null, rule: 'latest', winner: amount }
}

/** Overridden; else stated of this stage (what was said before the deal moved there was said of another); else usual. */
function chosen<V extends number | string>(
  overridden: Candidate<V | '' | null> | undefined,
  stated: Candidate<V | '' | null> | undefined,
  usual: V | undefined,
  { status, since }: Standing,
): Chosen<V> {
  if (status === 'open') {
    const override = overridden?.[0] ?? ''
    if (override !== '') return { value: override, rule: 'override', winner: overridden }
    const said = stated === undefined || isAfter(since, stated) ? '' : (stated[0] ?? '')
    if (said !== '') return { value: said, rule: 'latest', winner: stated }
  }
  return { value: usual ?? null, rule: 'stage_default', winner: since }
}

/** The stated day, unless it was stated before the deal closed: that was an expectation. */
function closedOn(state: DealState, config: Configuration, { status, since }: Standing): string | null {
  if (status === 'open' || since === undefined) return null
  const stated = newestOf(deal.base.get(state, 'close_date'), config)
  return (stated === undefined || isAfter(since, stated) ? '' : stated[0]) || utcDay(since[1])
}

function reasonOf(
  state: DealState,
  config: Configuration,
  { status, since }: Standing,
): Candidate<string | null> | undefined {
  const reason = newestOf(deal.base.get(state, 'reason'), config)
  return status === 'open' || reason === undefined || isAfter(since, reason) ? undefined : reason
}

function newestOf<V>(kept: Kept<V> | undefined, config: Configuration): Candidate<V> | undefined {
  return kept === undefined ? undefined : preferred(kept, newer, rankingFrom(config))
}

/** Later in time, or by the sender's own sequence within the instant. */
function isAfter(a: Candidate<unknown> | undefined, b: Candidate<unknown>): boolean {
  if (a === undefined) return false
  return a[1] !== b[1] ? a[1] > b[1] : a[3] > b[3]
}

/** The same explanation beside all these writes. */
function among(
  explained: Explanation<unknown> | undefined,
  writes: readonly Candidate<unknown>[],
): Explanation<unknown> | undefined {
  if (explained === undefined) return undefined
  return { ...explained, overruled: writes.filter((write) => !explained.winners.includes(write)) }
}

function writesIn(explained: Explanation<unknown> | undefined): readonly Candidate<unknown>[] {
  return explained === undefined ? [] : [...explained.winners, ...explained.overruled]
}

function explanation(
  { value, rule, winner }: Chosen<unknown>,
  writes: readonly Candidate<unknown>[],
): Explanation<unknown> | undefined {
  if (winner === undefined) return undefined
  return { value, rule, winners: [winner], overruled: writes.filter((write) => write !== winner) }
}
