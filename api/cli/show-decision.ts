import * as t from 'io-ts'
import type { ExitCode, Terminal } from './command.ts'
import { printable } from './printable.ts'
import { nameOf, shownIdentity } from './show-identity.ts'

/** What a steward's decision does, or would do, for people. */

const row = t.record(t.string, t.unknown)
const profile = t.type({
  id: t.string,
  identities: t.array(shownIdentity),
  events: t.number,
  views: t.record(t.string, t.array(row)),
})
type Profile = t.TypeOf<typeof profile>

export const decisionAnswer = t.type({
  position: t.number,
  data: t.type({
    decision: t.string,
    dryRun: t.boolean,
    pairs: t.array(t.array(shownIdentity)),
    before: t.array(profile),
    after: t.array(profile),
    refused: t.array(t.type({ pair: t.array(t.string), reason: t.string, detail: t.string })),
    results: t.union([t.array(t.type({ status: t.string })), t.null]),
  }),
})
type Data = t.TypeOf<typeof decisionAnswer>['data']

const DECIDED: Readonly<Record<string, string>> = {
  link: 'linked with',
  cut: 'cut from',
  lift: 'no longer cut from',
  keep_apart: 'kept apart from',
}

export function printDecision(
  terminal: Terminal,
  { position, data }: t.TypeOf<typeof decisionAnswer>,
): ExitCode {
  const { style } = terminal
  for (const pair of data.pairs) {
    const [a, b] = pair.map(nameOf)
    terminal.out(`${a} ${DECIDED[data.decision] ?? data.decision} ${b}`)
  }
  printProfiles(terminal, 'before', data.before)
  if (sameProfiles(data)) terminal.out('Nobody is regrouped by it.')
  else printProfiles(terminal, 'after', data.after)
  for (const { reason, detail } of data.refused)
    terminal.out(style.warn(`The link would not be followed, for ${reason}: ${printable(detail)}`))
  if (data.results === null) {
    terminal.out('A dry run: nothing was appended.')
    return 0
  }
  const kept = data.results.filter(({ status }) => status === 'quarantined').length
  terminal.out(
    `${data.results.length} ${data.results.length === 1 ? 'event' : 'events'} appended, the last at position ${position}.`,
  )
  return kept > 0 ? 3 : 0
}

function sameProfiles({ before, after }: Data): boolean {
  const keys = (profiles: readonly Profile[]) =>
    profiles.map(({ identities }) => identities.map(({ id }) => id).join()).sort()
  return keys(before).join('|') === keys(after).join('|')
}

function printProfiles(terminal: Terminal, when: string, profiles: readonly Profile[]): void {
  terminal.out('')
  terminal.out(
    terminal.style.bold(`${when}: ${profiles.length} ${profiles.length === 1 ? 'profile' : 'profiles'}`),
  )
  for (const [i, { id, identities, events, views }] of profiles.entries()) {
    terminal.out(`  ${i + 1}. ${id}: ${events} ${events === 1 ? 'event' : 'events'}`)
    terminal.out(`     ${identities.map(nameOf).join(', ')}`)
    for (const [name, rows] of Object.entries(views)) {
      const text = viewText(rows)
      if (text !== '') terminal.out(`     ${terminal.style.dim(name)} ${text}`)
    }
  }
}

/** Rows beyond this are counted. */
const MAX_ROWS = 3
const MAX_VALUE = 60

function viewText(rows: readonly t.TypeOf<typeof row>[]): string {
  if (rows.length > MAX_ROWS) return `${rows.length} rows`
  return rows.map(rowText).join(' | ')
}

function rowText(cells: t.TypeOf<typeof row>): string {
  const stated = Object.entries(cells).filter(
    ([name, value]) => name !== 'id' && name !== 'part' && value !== null,
  )
  return stated.map(([name, value]) => `${name} ${cellText(value)}`).join(', ')
}

function cellText(value: unknown): string {
  const text = printable(typeof value === 'string' ? value : JSON.stringify(value))
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text
}
