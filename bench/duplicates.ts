import { tmpdir } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { systemClock } from '../engine/clock.ts'
import { MATCH_PROBABILITY, MAX_BLOCK_RECORDS } from '../engine/identity/linkage/model.ts'
import { DATA_DIRECTORY, DATA_SETS, loadSet } from './duplicates/data-sets.ts'
import { type Judged, judge } from './duplicates/judge.ts'
import { measureWithin } from './interruption.ts'
import { presentLibrary, type Table } from './library-page.ts'
import { shown } from './log/findings.ts'
import { commitOf, describeMachine } from './main/machine.ts'
import type { BenchOptions } from './question.ts'
import { type Figure, type Report, resultOf } from './report.ts'

const DEADLINE_MS = 300_000

type Figured = Figure & { readonly set: string; readonly of: 'f1' | 'precision' | 'recall' }

/** The one list: quick and full runs report these names. */
export const DUPLICATE_FIGURES: readonly Figured[] = [
  ...figuresOf('febrl3', 0.99),
  ...figuresOf('fake_1000', 0.84),
  ...figuresOf('restaurants', 0.9),
]

const METHOD: readonly string[] = [
  'Each set is told nothing but what its columns hold (given name, birth date, phone …). Comparisons, blocking passes and the threshold are those of the product, the same for all sets; weights are learnt from the records without labels. Ids, numbers made up by the generators and the truth are read afterwards, to judge.',
  `A pair is proposed from a match probability of ${MATCH_PROBABILITY} on. Blocks of more than ${MAX_BLOCK_RECORDS} records are left out.`,
  'Precision, recall and F1 are over pairs of records: of all pairs within the groups that come out if every proposal is followed (the transitive closure), since links are transitive. The table has them for the proposed pairs alone too.',
  'The restaurants are taken as one list, since no column tells which guide a row is from.',
]

/** Measures how well duplicates are found. Exit code: 0 measured, 1 not, 130 interrupted. */
export async function benchDuplicates(options: BenchOptions): Promise<number> {
  const judged = new Map<string, Judged>()
  const failures: string[] = []
  const stopping = new AbortController()
  const why = await measureWithin(
    DEADLINE_MS,
    () => judgeAll(options, judged, failures, stopping.signal),
    () => stopping.abort(),
    failures,
  )
  return why === 'signal' ? 130 : present(judged, failures, options)
}

async function judgeAll(
  { only, say }: BenchOptions,
  judged: Map<string, Judged>,
  failures: string[],
  signal: AbortSignal,
): Promise<void> {
  for (const set of DATA_SETS) {
    if (only.length > 0 && !only.includes(set.name)) continue
    // Lets a signal through.
    await setImmediate()
    if (signal.aborted) return
    say(`${set.name} …`)
    const loaded = loadSet(set)
    if (loaded === undefined)
      failures.push(`${set.name}: there are no data files in ${DATA_DIRECTORY} (set HEADWATER_TEST_DATA)`)
    else judged.set(set.name, judge(loaded, systemClock))
  }
}

export function duplicatesReportOf(
  judged: ReadonlyMap<string, Judged>,
  about: Pick<Report, 'commit' | 'machine'>,
): Report {
  const results = DUPLICATE_FIGURES.map((figure) => {
    const value = judged.get(figure.set)?.grouped[figure.of]
    return resultOf(figure, value === undefined ? undefined : { value })
  })
  return { bench: 'duplicates', ...about, results }
}

function present(
  judged: ReadonlyMap<string, Judged>,
  failures: readonly string[],
  options: BenchOptions,
): number {
  const { cores, memoryGb, cpu, kernel, node } = describeMachine(tmpdir())
  const machine = { cores, memoryGb, cpu, kernel, node } as Report['machine']
  const report = duplicatesReportOf(judged, { commit: commitOf(options.root), machine })
  const all = [...judged.values()]
  const page = {
    report,
    about: 'finding probable duplicates',
    tables: tablesOf(all),
    notes: all.map(noteOf),
    failures,
    method: METHOD,
  }
  return presentLibrary(page, options)
}

function figuresOf(set: string, f1: number): readonly Figured[] {
  return [
    { name: `${set}_f1`, unit: 'ratio', atLeast: f1, set, of: 'f1' },
    { name: `${set}_precision`, unit: 'ratio', set, of: 'precision' },
    { name: `${set}_recall`, unit: 'ratio', set, of: 'recall' },
  ]
}

function noteOf({
  name,
  records,
  compared,
  learnS,
  proposeS,
  expectedPairs,
  truePairs,
  converged,
}: Judged): string {
  const all = (records * (records - 1)) / 2
  return `${name}: ${shown(records)} records; ${shown(compared)} pairs compared of ${shown(all)}; weights learnt in ${shown(learnS)} s${converged ? '' : ' (not converged)'}, proposals in ${shown(proposeS)} s; the estimate expects ${shown(expectedPairs)} matching pairs, there are ${shown(truePairs)}.`
}

function tablesOf(judged: readonly Judged[]): readonly Table[] {
  return [
    {
      title: 'Pairs of the groups, and proposed pairs alone',
      head: ['set', 'pairs', 'right', 'wrong', 'missed', 'precision', 'recall', 'F1'],
      rows: judged.flatMap(({ name, grouped, proposed }) =>
        [['of groups', grouped] as const, ['proposed', proposed] as const].map(([what, score]) => [
          name,
          what,
          score.right,
          score.wrong,
          score.missed,
          digits(score.precision),
          digits(score.recall),
          digits(score.f1),
        ]),
      ),
    },
    {
      title: 'Pairs by blocking pass',
      head: ['set', 'pass', 'pairs', 'of them new', 'blocks left out', 'pairs left out'],
      rows: judged.flatMap(({ name, passes }) =>
        passes.map(({ pass, pairs, fresh, leftOut }) => [
          name,
          pass,
          pairs,
          fresh,
          leftOut.blocks,
          leftOut.pairs,
        ]),
      ),
    },
  ]
}

/** As text, so that 0.9995 isn't shown as 1. */
function digits(share: number): string {
  return share.toFixed(4)
}
