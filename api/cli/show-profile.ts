import * as t from 'io-ts'
import type { Terminal } from './command.ts'
import { printable, valueText } from './printable.ts'
import { printEmployment } from './show-employment.ts'

/** A profile as the engine answers it, for people. */

const write = t.type({ value: t.unknown, event: t.string, source: t.string, time: t.string })
type Write = t.TypeOf<typeof write>

const explanation = t.type({ rule: t.string, winners: t.array(write), overruled: t.array(write) })
type Explanation = t.TypeOf<typeof explanation>

const shownIdentity = t.intersection([
  t.type({ id: t.string }),
  t.partial({ namespace: t.string, value: t.string }),
])

export const profileAnswer = t.intersection([
  t.type({
    position: t.number,
    data: t.intersection([t.UnknownRecord, t.type({ id: t.string, identities: t.array(shownIdentity) })]),
  }),
  t.partial({
    asOf: t.union([t.string, t.null]),
    explain: t.record(t.string, explanation),
    history: t.type({ by: t.string, until: t.union([t.string, t.number]) }),
  }),
])
type ProfileAnswer = t.TypeOf<typeof profileAnswer>

const timelineEvent = t.type({ position: t.number, time: t.string, type: t.string, source: t.string })
const timelineEvents = t.array(timelineEvent)
export const timelineAnswer = t.type({ data: timelineEvents })
type TimelineAnswer = t.TypeOf<typeof timelineAnswer>

/** Of one basis (`ordered`, `invoiced`) and currency; `net` is none where the total is beyond what a cell holds. */
const orderTotals = t.type({
  basis: t.string,
  currency: t.union([t.string, t.null]),
  orders: t.number,
  returns: t.number,
  net: t.union([t.string, t.null]),
})
const orders = t.array(orderTotals)
export const ordersAnswer = t.type({
  data: orders,
  next: t.union([t.string, t.null]),
})
type OrdersAnswer = t.TypeOf<typeof ordersAnswer>

/** A profile as of a moment brings its orders and events of that moment along. */
export const pastAnswer = t.intersection([profileAnswer, t.type({ orders, timeline: timelineEvents })])

/** What the engine said of one person; a part that it didn't say is absent. */
interface Shown {
  readonly profile: ProfileAnswer
  readonly timeline?: TimelineAnswer | undefined
  readonly orders?: OrdersAnswer | undefined
}

export function printProfile(terminal: Terminal, { profile, timeline, orders }: Shown): void {
  const { style } = terminal
  const { id, identities, employer: _, people: __, ...fields } = profile.data
  terminal.out(`${style.bold(`profile ${id}`)}  at position ${profile.position}${asOf(profile)}`)
  section(terminal, 'identities')
  for (const { id: identityId, namespace, value } of identities) {
    terminal.out(
      `  ${namespace === undefined ? `${identityId} (erased)` : printable(`${namespace}:${value}`)}`,
    )
  }
  section(terminal, 'fields')
  for (const line of fieldLines(terminal, fields, profile.explain ?? {})) terminal.out(line)
  printEmployment(terminal, profile.data)
  if (orders !== undefined) printOrders(terminal, orders)
  if (timeline !== undefined) printTimeline(terminal, timeline)
}

function printOrders(terminal: Terminal, { data, next }: OrdersAnswer): void {
  if (data.length > 0) section(terminal, 'orders')
  for (const { basis, currency, orders, returns, net } of data) {
    const name = `${basis} ${currency ?? '(no currency)'}`
    const counts = `${counted(orders, 'order')}, ${counted(returns, 'return')}`
    terminal.out(printable(`  ${name}  ${counts}, net ${net ?? 'too large to show'}`))
  }
  if (next !== null) terminal.out('  …')
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function printTimeline(terminal: Terminal, timeline: TimelineAnswer): void {
  if (timeline.data.length > 0) section(terminal, 'latest events')
  const { style } = terminal
  for (const event of timeline.data) {
    const place = style.dim(printable(`${event.source}, position ${event.position}`))
    terminal.out(`  ${event.time}  ${printable(event.type)}  ${place}`)
  }
}

function section(terminal: Terminal, name: string): void {
  terminal.out('')
  terminal.out(terminal.style.bold(name))
}

function asOf(answer: ProfileAnswer): string {
  const { history } = answer
  if (history !== undefined) {
    const what =
      history.by === 'occurred'
        ? 'what had happened by then, as known today'
        : 'what had been received by then'
    return `, as of ${typeof history.until === 'number' ? `position ${history.until}` : history.until} (${what})`
  }
  return answer.asOf === null || answer.asOf === undefined ? '' : `, as of ${answer.asOf}`
}

/** Columns with an explanation show it; `column.member` explains a member of a column that holds an object. */
function fieldLines(
  terminal: Terminal,
  fields: Readonly<Record<string, unknown>>,
  explain: Readonly<Record<string, Explanation>>,
): readonly string[] {
  const rows = Object.entries(fields).flatMap(([name, value]) => rowsOf(name, value, explain))
  const shown = rows.filter(({ value }) => !isEmpty(value))
  const width = Math.max(0, ...shown.map(({ name }) => name.length))
  return shown.flatMap(({ name, value }) => {
    const why = explain[name]
    const winner = why?.winners[0]
    const origin = winner === undefined ? '' : terminal.style.dim(`  ${why?.rule}: ${writeText(winner)}`)
    return [
      `  ${printable(name).padEnd(width)}  ${valueText(value)}${origin}`,
      ...(why?.overruled ?? []).map((overruled) => {
        const text = `overruled: ${valueText(overruled.value)}, ${writeText(overruled)}`
        return terminal.style.dim(`  ${' '.repeat(width)}    ${text}`)
      }),
    ]
  })
}

function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object') return value === undefined
  return value === null || Object.keys(value).length === 0
}

interface FieldRow {
  readonly name: string
  readonly value: unknown
}

function rowsOf(
  name: string,
  value: unknown,
  explain: Readonly<Record<string, Explanation>>,
): readonly FieldRow[] {
  if (!t.UnknownRecord.is(value) || Array.isArray(value)) return [{ name, value }]
  const members = Object.entries(value).map(([member, inner]) => ({
    name: `${name}.${member}`,
    value: inner,
  }))
  return members.some((member) => Object.hasOwn(explain, member.name)) ? members : [{ name, value }]
}

function writeText({ source, time, event }: Write): string {
  return printable(`${source}, ${time}, event ${event}`)
}
