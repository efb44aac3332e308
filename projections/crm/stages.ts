import type { Configuration } from '../../engine/projector/projection.ts'

/** The steps of a deal, as published for the workspace, else the usual ones. */

export type Outcome = 'won' | 'lost'

export interface Stage {
  readonly id: string
  readonly label: string
  /** Percent. */
  readonly probability: number
  readonly forecast_category: string
  readonly closed?: Outcome | undefined
}

const DEFAULT_STAGES: readonly Stage[] = [
  stage('prospecting', 'Prospecting', 10, 'pipeline'),
  stage('qualification', 'Qualification', 10, 'pipeline'),
  stage('needs_analysis', 'Needs Analysis', 20, 'pipeline'),
  stage('value_proposition', 'Value Proposition', 50, 'pipeline'),
  stage('decision_makers', 'Decision Makers', 60, 'best_case'),
  stage('perception_analysis', 'Perception Analysis', 70, 'best_case'),
  stage('proposal', 'Proposal/Price Quote', 75, 'best_case'),
  stage('negotiation', 'Negotiation/Review', 90, 'commit'),
  { ...stage('closed_won', 'Closed Won', 100, 'closed'), closed: 'won' },
  { ...stage('closed_lost', 'Closed Lost', 0, 'omitted'), closed: 'lost' },
]

interface Stages {
  /** The stage that a sender means by an id or a label; one that nobody published has neither. */
  find(sent: string): Stage | undefined
  /** Place in the pipeline, from 0; undefined for an unknown stage. */
  order(id: string): number | undefined
  /** The stage that a deal stands in once it is won or lost. */
  closing(outcome: Outcome): Stage
}

const known = new WeakMap<Configuration, Stages>()

export function stagesFrom(config: Configuration): Stages {
  const cached = known.get(config)
  if (cached !== undefined) return cached
  const published = config.all('stages.published').flatMap(({ data }) => data.stages)
  // The usual stages stay known behind the published ones: older deals may stand in them.
  const stages = stagesOf([...distinct(published), ...DEFAULT_STAGES])
  known.set(config, stages)
  return stages
}

/** What a newer publication says about a stage takes the older one's place in the order. */
function distinct(published: readonly Stage[]): readonly Stage[] {
  return [...new Map(published.map((each) => [each.id, each])).values()]
}

function stagesOf(all: readonly Stage[]): Stages {
  const byName = new Map<string, Stage>()
  const order = new Map<string, number>()
  for (const each of all) {
    if (!order.has(each.id)) order.set(each.id, order.size)
    if (!byName.has(each.id)) byName.set(each.id, each)
  }
  for (const each of all) {
    const label = each.label.toLowerCase()
    if (!byName.has(label)) byName.set(label, each)
  }
  return {
    find: (sent) => byName.get(sent) ?? byName.get(sent.trim().toLowerCase()),
    order: (id) => order.get(id),
    closing(outcome) {
      const found = all.find((each) => each.closed === outcome)
      return found ?? stage(`closed_${outcome}`, '', 0, '')
    },
  }
}

function stage(id: string, label: string, probability: number, forecast_category: string): Stage {
  return { id, label, probability, forecast_category }
}
