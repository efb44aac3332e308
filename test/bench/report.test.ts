/**
 * Theorem: a bench's JSON is one line of the agreed shape whose names are those of the one list, whatever was measured and
 * however long the run is; a figure is met exactly when what it asks for was measured and lies within its bound.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FIGURES } from '../../bench/main/figures.ts'
import { noFindings } from '../../bench/main/findings.ts'
import { planOf } from '../../bench/main/plan.ts'
import { resultsMarkdown } from '../../bench/main/results-page.ts'
import { reportOf } from '../../bench/main.ts'
import { markdownTable, reportLine, resultOf, textTable } from '../../bench/report.ts'

const NAMES = [
  'nats_batch_events_per_s',
  'nats_single_events_per_s',
  'freshness_p99_ms',
  'sustained_events_per_s',
  'query_per_s',
  'query_p99_ms',
]
const ABOUT = { commit: '0123456789ab', machine: { cores: 2, node: 'v26.0.0' } }

describe('the line', () => {
  test('is one line of exactly the agreed members', () => {
    const findings = noFindings()
    findings.measured.set('batch', { value: 51_234.56 })
    findings.measured.set('freshness', { value: 31.234 })
    const line = reportLine(reportOf(findings, ABOUT))
    expect(line).not.toContain('\n')
    const report: unknown = JSON.parse(line)
    expect(Object.keys(report as object)).toEqual(['bench', 'commit', 'machine', 'results'])
    expect(report).toMatchObject({
      bench: 'main',
      ...ABOUT,
      results: [
        {
          name: 'nats_batch_events_per_s',
          value: 51_235,
          unit: 'events/s',
          target: '>= 50000',
          met: true,
        },
        { name: 'nats_single_events_per_s', value: null, target: '>= 15000', met: false },
        { name: 'freshness_p99_ms', value: 31.2, unit: 'ms', target: '<= 20', met: false },
        { name: 'sustained_events_per_s', target: '>= 40000' },
        { name: 'query_per_s', target: '>= 5000' },
        { name: 'query_p99_ms', target: '<= 10' },
      ],
    })
    for (const result of (report as { results: object[] }).results) {
      expect(Object.keys(result)).toEqual(['name', 'value', 'unit', 'target', 'met'])
    }
  })

  test('has the names of the one list, of a quick run as of a full one', () => {
    expect(Object.values(FIGURES).map(({ name }) => name)).toEqual(NAMES)
    expect(reportOf(noFindings(), ABOUT).results.map(({ name }) => name)).toEqual(NAMES)
    // Which parts are run doesn't depend on the plan; only how much of each.
    expect(Object.keys(planOf(true))).toEqual(Object.keys(planOf(false)))
  })
})

describe('a figure', () => {
  test('is met at its bound and not beyond, before rounding', () => {
    const least = { name: 'a', unit: 'x', atLeast: 50_000 }
    const most = { name: 'b', unit: 'x', atMost: 20 }
    expect(resultOf(least, { value: 50_000 }).met).toBe(true)
    expect(resultOf(least, { value: 49_999.9 }).met).toBe(false)
    expect(resultOf(most, { value: 20 }).met).toBe(true)
    expect(resultOf(most, { value: 20.01 }).met).toBe(false)
    expect(resultOf(most, { value: -3 }).met).toBe(true)
  })

  test('is not met by something else that was measured in its place, and says what that was', () => {
    const figure = { name: 'rss', unit: 'MB', atMost: 200 }
    expect(resultOf(figure, { value: 10, insteadUnit: 'MB from 1 to 2 events' })).toEqual({
      name: 'rss',
      value: 10,
      unit: 'MB from 1 to 2 events',
      target: '<= 200',
      met: false,
    })
  })
})

describe('tables', () => {
  test('align numbers to the right and say what is missing', () => {
    expect(
      textTable(
        ['name', 'n'],
        [
          ['a', 1_234],
          ['long', null],
        ],
      ),
    ).toBe(['name             n', 'a            1,234', 'long  not measured'].join('\n'))
    expect(markdownTable(['name', 'n'], [['a|b', 1]])).toBe('| name | n |\n| --- | ---: |\n| a\\|b | 1 |')
  })

  test('the page has every figure, and what failed', () => {
    const findings = noFindings()
    findings.failures.push('sweep: it broke')
    const page = resultsMarkdown({ report: reportOf(findings, ABOUT), findings, cpu: [], day: '2026-01-02' })
    for (const name of NAMES) expect(page).toContain(`| ${name} | not measured |`)
    expect(page).toContain('**Failed:** sweep: it broke')
    expect(page).toContain('results-sweep.svg')
    expect(page).not.toContain('undefined')
  })
})

describe('the command line', () => {
  const bench = (...args: string[]) =>
    spawnSync(process.execPath, [join(import.meta.dirname, '..', '..', 'bench', 'run.ts'), ...args], {
      encoding: 'utf8',
    })

  test('lists the questions; a wrong one is refused before anything is started', () => {
    const help = bench('--help')
    expect(help.status).toBe(0)
    for (const question of ['main', 'memory'])
      expect(help.stdout).toMatch(new RegExp(`^ {2}${question} `, 'm'))
    for (const wrong of [
      [],
      ['nonsense'],
      ['constructor'],
      ['main', 'more'],
      ['main', '--fast'],
      ['main', '--only', 'x'],
    ]) {
      const refused = bench(...wrong)
      expect([wrong, refused.status]).toEqual([wrong, 2])
      expect(refused.stderr).toContain('Usage:')
      expect(refused.stdout).toBe('')
    }
  })
})
