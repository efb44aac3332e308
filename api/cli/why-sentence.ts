import * as t from 'io-ts'
import { printable, valueText } from './printable.ts'

/** One field's explanation as one sentence. */

const write = t.intersection([
  t.type({ value: t.unknown, event: t.string, source: t.string, time: t.string }),
  t.partial({ position: t.number }),
])
type Write = t.TypeOf<typeof write>

export const explanation = t.intersection([
  t.type({ value: t.unknown, rule: t.string, winners: t.array(write), overruled: t.array(write) }),
  t.partial({
    priorities: t.record(t.string, t.number),
    decided: t.type({
      act: t.keyof({ locked: null, resolved: null }),
      by: t.string,
      reason: t.union([t.string, t.null]),
      until: t.union([t.string, t.null]),
    }),
  }),
])
export type Explanation = t.TypeOf<typeof explanation>

/** `phone is +44…: erp sent it on 2026-05-02 (…); overruled: +44… from web, 2026-06-11.` */
export function sentenceOf(field: string, explained: Explanation): string {
  const { value, winners, overruled } = explained
  const removed = value === null || value === undefined
  const claim = removed ? `${field} has no value` : `${field} is ${valueText(value)}`
  const when = dates([...winners, ...overruled])
  const [only, ...others] = winners
  const sent =
    explained.decided !== undefined && only !== undefined
      ? decidedText(explained.decided, when(only))
      : only === undefined
        ? 'nobody sent it'
        : others.length === 0
          ? `${printable(only.source)} ${verbOf(removed, value, only)} on ${when(only)}`
          : list(
              winners.map(
                (each) => `${printable(each.source)} sent ${valueText(each.value)} on ${when(each)}`,
              ),
            )
  const lost = overruled.map(
    (each) => `${valueText(each.value)} from ${printable(each.source)}, ${when(each)}`,
  )
  const overruledText = lost.length === 0 ? '' : `; overruled: ${lost.join('; ')}`
  return `${claim}: ${sent} (${ruleText(explained)})${overruledText}.`
}

type Decided = NonNullable<Explanation['decided']>

function decidedText({ act, by, reason, until }: Decided, when: string): string {
  const why = reason === null ? '' : `, because: ${printable(reason)}`
  const ends = act === 'resolved' ? '' : until === null ? '' : `, until ${until}`
  return `${printable(by)} ${act} it on ${when}${ends}${why}`
}

function verbOf(removed: boolean, value: unknown, { value: written }: Write): string {
  if (removed) return written === null ? 'removed it' : `sent ${valueText(written)}`
  return sameValue(value, written) ? 'sent it' : `sent ${valueText(written)}`
}

function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function list(parts: readonly string[]): string {
  return parts.length < 3 ? parts.join(' and ') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}

/** Days, or the times as well where two writes are of one day. */
function dates(writes: readonly Write[]): (write: Write) => string {
  const days = writes.map(({ time }) => time.slice(0, 10))
  return new Set(days).size === days.length ? ({ time }) => time.slice(0, 10) : ({ time }) => time
}

/** Rules in the words of people; one that isn't among them is named. */
const RULES: Readonly<Record<string, string>> = {
  latest: 'latest',
  first: 'first',
  min: 'least',
  max: 'greatest',
  union: 'union of all that was sent',
  sum: 'sum of all that was sent',
  count: 'count of all that was sent',
  forwardOnly: 'furthest stage: it never goes back but by an explicit regress',
  mostRestrictive: 'on a tie refusal beats permission',
  together: 'latest, all parts from one writer',
  review: 'latest, until a steward decides',
  companyByDomain: 'company by the domain of the mail address; free mail providers are none',
  locked: 'a lock beats whatever sources write',
  resolved: 'it beats every write that is not newer',
}

function ruleText({ rule, winners, overruled, priorities = {} }: Explanation): string {
  const sources = [...new Set([...winners, ...overruled].map(({ source }) => source))]
  if (rule !== 'ranked' && rule !== 'rankedUnlessBlank') return RULES[rule] ?? printable(rule)
  const blank = rule === 'rankedUnlessBlank' && overruled.some(({ value }) => value === '')
  const never = blank ? '; a blank never beats a value' : ''
  if (sources.length < 2) return `latest by source priority: its only source${never}`
  return `latest by source priority: ${rankText(sources, priorities)}${never}`
}

/** Lower numbers are more trusted; who has none comes last. */
function rankText(sources: readonly string[], priorities: Readonly<Record<string, number>>): string {
  const priorityOf = (source: string) =>
    Object.hasOwn(priorities, source) ? (priorities[source] ?? Infinity) : Infinity
  const ranks = new Map<number, string[]>()
  for (const source of sources) {
    const rank = ranks.get(priorityOf(source)) ?? []
    rank.push(printable(source))
    ranks.set(priorityOf(source), rank)
  }
  if (ranks.size === 1) return `${list(sources.map(printable))} are ranked alike`
  const inOrder = [...ranks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, names]) => names.join(' = '))
  return `ranked ${inOrder.join(' > ')}`
}
