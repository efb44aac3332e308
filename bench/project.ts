import { presentLibrary } from './library-page.ts'
import { commitOf, describeMachine } from './main/machine.ts'
import { measureParts, type Parts } from './parts.ts'
import { measureAsking } from './project/asking.ts'
import { measureEmmett } from './project/emmett.ts'
import {
  noProjectFindings,
  PROJECT_FIGURES,
  type ProjectFigureKey,
  type ProjectFindings,
} from './project/figures.ts'
import { ProjectLab } from './project/lab.ts'
import { measureLive } from './project/living.ts'
import { projectPlanOf } from './project/plan.ts'
import { measureRebuilds } from './project/rebuilding.ts'
import type { BenchOptions } from './question.ts'
import { type Report, resultOf } from './report.ts'

/** By the names that `--only` takes. The last asks an engine that finds the read models which the first has left. */
const PARTS: Parts<ProjectLab, ProjectFindings> = [
  ['rebuild', 'the whole catalogue and one projection from the log’s beginning', measureRebuilds],
  ['emmett', 'one projection against Emmett’s rebuild on PostgreSQL', measureEmmett],
  ['live', 'events in order against late, repeated and contradicting ones', measureLive],
  ['asking', 'profiles as of a past instant; people taken apart', measureAsking],
]

const METHOD: readonly string[] = [
  'The log is the simulator’s steady mix (bench/simulator/traffic.ts), sent through the intake, so that personal parts are sealed: two thirds are page and product views.',
  'Each fold and each rebuild is a process of its own, counted without the start of Node and the opening of the log. A rebuild of all is what the engine does on a new store: identities, all rows with their indexes, one checkpoint. A rebuild of one is what `headwater rebuild` does: a build made beside the one that serves, where it is known who belongs together, until its digest is compared and it serves.',
  'Live: the whole engine in one process, in batches of 100 with 5,000 events under way, until the read models hold all of them. Late events come up to 2,000 deliveries after their time.',
]

/** Measures the projector. Exit code: 0 all figures were measured, 1 some weren't, 130 interrupted. */
export async function benchProject(options: BenchOptions): Promise<number> {
  const plan = projectPlanOf(options.quick)
  const lab = new ProjectLab(plan, options.say)
  const findings = noProjectFindings()
  const { deadlineMs } = plan
  return measureParts(
    { lab, findings, parts: PARTS, deadlineMs, present: () => present(lab, findings, options) },
    options,
  )
}

export function projectReportOf(
  findings: ProjectFindings,
  about: Pick<Report, 'commit' | 'machine'>,
): Report {
  const keys = Object.keys(PROJECT_FIGURES) as readonly ProjectFigureKey[]
  const results = keys.map((key) => resultOf(PROJECT_FIGURES[key], findings.measured.get(key)))
  return { bench: 'project', ...about, results }
}

function present(lab: ProjectLab, findings: ProjectFindings, options: BenchOptions): number {
  const about = { commit: commitOf(options.root), machine: describeMachine(lab.directory) }
  const report = projectReportOf(findings, about)
  const { notes, failures } = findings
  return presentLibrary(
    { report, about: 'read models from the log', notes, failures, method: METHOD },
    options,
  )
}
