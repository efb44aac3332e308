import { randomUUID } from 'node:crypto'
import * as t from 'io-ts'
import { namespaceOf } from '../../engine/events/identity.ts'
import type { Terminal } from './command.ts'
import { printable } from './printable.ts'

/** Why a profile's identities are together, for people. */

export const shownIdentity = t.intersection([
  t.type({ id: t.string }),
  t.partial({ namespace: t.string, value: t.string }),
])
type ShownIdentity = t.TypeOf<typeof shownIdentity>

const witness = t.type({ id: t.string, source: t.string, type: t.string, time: t.string, position: t.number })
type Witness = t.TypeOf<typeof witness>

const link = t.type({ a: t.string, b: t.string, rule: t.string, stated: t.number, event: witness })
type Link = t.TypeOf<typeof link>

const bridge = t.type({
  identity: t.string,
  sides: t.array(t.array(t.string)),
  cuts: t.union([t.array(t.tuple([t.string, t.string])), t.null]),
})

const refused = t.intersection([
  link,
  t.type({ other: shownIdentity }),
  t.partial({ reason: t.string, detail: t.string }),
])

export const identityAnswer = t.type({
  position: t.number,
  data: t.type({
    id: t.string,
    rules: t.type({ version: t.string }),
    complete: t.boolean,
    identities: t.array(shownIdentity),
    links: t.array(link),
    cuts: t.array(t.type({ a: t.string, b: t.string, event: witness })),
    bridges: t.array(bridge),
    refused: t.array(refused),
    refusedCount: t.number,
  }),
})
type Data = t.TypeOf<typeof identityAnswer>['data']

type Names = (id: string) => string

/** `isPast`: what would take it apart now isn't said. */
export function printIdentity(
  terminal: Terminal,
  { position, data }: t.TypeOf<typeof identityAnswer>,
  isPast: boolean,
): void {
  const { style } = terminal
  const names = namesIn(data)
  const counts = `${counted(data.identities.length, 'identity', 'identities')}, ${counted(data.links.length, 'link')}`
  const rules = `identity rules version ${printable(data.rules.version)}`
  terminal.out(`${style.bold(`profile ${data.id}`)}: ${counts}, ${rules}, at position ${position}`)
  for (const line of treeLines(terminal, data, names)) terminal.out(line)
  if (!data.complete)
    terminal.out('Some identity has more events than were read: earlier or other links may exist.')
  printCuts(terminal, data, names)
  printRefused(terminal, data, names)
  printBridges(terminal, data, names, isPast)
}

function namesIn({ identities, refused: others }: Data): Names {
  const names = new Map<string, string>()
  for (const identity of [...others.map(({ other }) => other), ...identities])
    names.set(identity.id, nameOf(identity))
  return (id) => names.get(id) ?? id
}

export function nameOf({ id, namespace, value }: ShownIdentity): string {
  if (value === undefined) return `${namespace === undefined ? '' : `${namespace} `}${id} (erased)`
  return printable(`${namespace}:${value}`)
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

function witnessText({ source, id, type, time, position }: Witness): string {
  return printable(`${source} event ${id} (${type}, ${time}, position ${position})`)
}

function linkText({ rule, stated, event }: Link): string {
  const why = rule === 'steward' ? 'a steward linked them' : 'one event named both'
  const more = stated > 1 ? `, and ${counted(stated - 1, 'more event')}` : ''
  return `${why}: ${witnessText(event)}${more}`
}

/** From the most lasting identity outwards, each under the one that it was linked with. */
function treeLines(terminal: Terminal, data: Data, names: Names): readonly string[] {
  const seen = new Set<string>()
  const lines: string[] = []
  const strongest = [...data.identities].sort((a, b) => priorityOf(a) - priorityOf(b))
  for (const root of strongest) {
    const waiting: { id: string; depth: number; link?: Link }[] = [{ id: root.id, depth: 1 }]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { id, depth, link: by } = next
      if (seen.has(id)) continue
      seen.add(id)
      const why = by === undefined ? '' : terminal.style.dim(`  ${linkText(by)}`)
      lines.push(`${'  '.repeat(depth)}${names(id)}${why}`)
      const onward = data.links.filter(({ a, b }) => a === id || b === id).reverse()
      for (const each of onward)
        waiting.push({ id: each.a === id ? each.b : each.a, depth: depth + 1, link: each })
    }
  }
  return lines
}

function priorityOf({ namespace }: ShownIdentity): number {
  return namespace === undefined ? Number.MAX_SAFE_INTEGER : namespaceOf(namespace).priority
}

function printCuts(terminal: Terminal, { cuts }: Data, names: Names): void {
  for (const { a, b, event } of cuts) {
    terminal.out(`cut: ${names(a)} from ${names(b)}, by ${witnessText(event)}`)
  }
}

const SHOWN_REFUSED = 10

function printRefused(
  terminal: Terminal,
  { refused: all, refusedCount, identities }: Data,
  names: Names,
): void {
  const own = new Set(identities.map(({ id }) => id))
  for (const each of all.slice(0, SHOWN_REFUSED)) {
    const member = own.has(each.a) ? each.a : each.b
    const reason = each.reason === undefined ? 'a limit' : reasonText(each.reason, each.detail ?? '', names)
    terminal.out(
      `not merged: ${names(each.other.id)} with ${names(member)}, for ${reason}; ${linkText(each)}`,
    )
  }
  const left = refusedCount - Math.min(all.length, SHOWN_REFUSED)
  if (left > 0) terminal.out(`not merged: ${left} more`)
}

function reasonText(reason: string, detail: string, names: Names): string {
  if (reason === 'cut') return `the cut of ${detail.split(' ').map(names).join(' from ')}`
  return reason === 'limit' ? `the limit ${printable(detail)}` : `the greatest size, ${printable(detail)}`
}

function printBridges(terminal: Terminal, data: Data, names: Names, isPast: boolean): void {
  for (const { identity, sides, cuts } of data.bridges) {
    terminal.out('')
    terminal.out(
      `${terminal.style.warn(`${names(identity)} alone holds ${sides.length} parts together.`)} ` +
        'If these are different people, it is shared:',
    )
    for (const [i, side] of sides.entries()) terminal.out(`  ${i + 1}. ${side.map(names).join(', ')}`)
    if (isPast) continue
    const events = cuts === null ? undefined : cutEvents(data.identities, cuts)
    if (events === undefined) {
      terminal.out(
        'No few cuts take them apart; cut the pairs that you know by identity.cut, one event a pair.',
      )
    } else {
      terminal.out(
        'This takes them apart; the cut holds against old and new links until an identity.cut_lifted:',
      )
      terminal.out(`  headwater append ${shellQuoted(events)}`)
    }
  }
}

/** One event a pair, as JSON; undefined where an identity was erased and can't be named any more. */
function cutEvents(
  identities: readonly ShownIdentity[],
  cuts: readonly (readonly [string, string])[],
): string | undefined {
  const known = new Map(identities.map((each) => [each.id, each]))
  const events = cuts.map((pair) => ({
    id: `cut-${randomUUID()}`,
    source: 'steward',
    type: 'identity.cut',
    data: {
      steward: 'steward',
      reason: 'different people shared an identity',
      identities: pair.map((id) => ({ namespace: known.get(id)?.namespace, value: known.get(id)?.value })),
    },
  }))
  const whole = events.every(({ data }) => data.identities.every(({ value }) => value !== undefined))
  return whole ? JSON.stringify(events) : undefined
}

/** For a POSIX shell; what could steer the terminal stands escaped, which JSON allows. */
function shellQuoted(json: string): string {
  const safe = json.replaceAll(
    /[\x7f-\x9f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `'${safe.replaceAll("'", `'\\''`)}'`
}
