import { type IdentityId, namespaceOf } from '../../engine/events/identity.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import type { CellValue, Column, Row } from '../../engine/store/table.ts'
import { identityIn, leadingOf, utcDay } from '../values.ts'
import { campaignOf, deviceOf, earlier, later, type Mark, pageOf, VISITS, type Visit } from './visit.ts'

/** Instants are ms since the day began. */
type Session = readonly [
  first: number,
  last: number,
  events: number,
  pageViews: number,
  productViews: number,
  cartAdds: number,
  purchases: number,
  entry: Mark | null,
  exit: Mark | null,
  campaign: Mark | null,
  device: Mark | null,
]

/** Of one visitor on one day, ascending; between two of them nothing happened for longer than the gap. */
type State = readonly Session[]

const DAY_MS = 86_400_000
/** Inactivity that ends a session, as web analytics tools count. */
const GAP_MS = 30 * 60_000

const columns = {
  visitor: { type: 'identity', about: 'Who: the browser or device where it is known, else the person.' },
  day: { type: 'day', about: 'UTC day; a session that goes on past midnight is two.' },
  started_at: { type: 'instant', about: 'Time of its first event.' },
  ended_at: { type: 'instant', about: 'Time of its last event.' },
  seconds: { type: 'integer', about: 'Seconds from its first to its last event.' },
  events: { type: 'integer', about: 'How many events there were.' },
  page_views: { type: 'integer', about: 'Pages and screens looked at.' },
  product_views: { type: 'integer', about: 'Products looked at.' },
  cart_adds: { type: 'integer', about: 'Products put into a cart.' },
  purchases: { type: 'integer', about: 'Orders completed.' },
  entry_page: { type: 'text', about: 'Path of the first page, or name of the first screen.' },
  exit_page: { type: 'text', about: 'Path of the last page, or name of the last screen.' },
  campaign_source: { type: 'text', about: 'Source of the first campaign that a page names (utm_source).' },
  campaign_medium: { type: 'text', about: 'Its medium (utm_medium).' },
  campaign: { type: 'text', about: 'Its name (utm_campaign).' },
  device: { type: 'text', about: '`desktop`, `mobile`, `tablet`, `bot`, or as stated.' },
} as const satisfies Readonly<Record<string, Column>>

/**
 * Visits of a site or app: events of one visitor with no more than 30 minutes between them, by event time.
 *
 * A session is a connected stretch of instants, and adding an event joins whatever stretches it comes near. So the
 * result doesn't depend on the order of arrival: a late event may join two sessions, never leave a trace of its
 * lateness. That needs all stretches that an event may yet join, and so a key is one visitor on one UTC day: a state
 * then holds at most 48 sessions, and a long life makes more keys instead of a larger one. The price is that midnight
 * (UTC) ends a session, as it did in classic web analytics. A visitor is the browser or device, not the person:
 * someone who signs in midway stays in the same session, and rows resolve to the profile when they are read.
 */
export const session: Projection<State, (typeof VISITS)[number]> = {
  name: 'session',
  version: 1,
  handles: VISITS,
  configuredBy: [],
  keys(event) {
    const visitor = visitorOf(event)
    return visitor === undefined ? [] : [`${visitor} ${utcDay(event.time)}`]
  },
  initial: () => NONE,
  reduce: withVisit,
  join: (a, b) => (a.length < b.length ? a.reduce(withSession, b) : b.reduce(withSession, a)),
  table: {
    grain: 'record',
    columns,
    indexes: [
      ['visitor', 'started_at'],
      ['day', 'started_at'],
    ],
    rows(state, _config, key) {
      const [visitor = '', day = ''] = key.split(' ')
      const dayMs = Date.parse(`${day}T00:00:00Z`)
      return new Map(state.map((each) => rowOfSession(each, visitor, day, dayMs)))
    },
  },
}

const NONE: State = []

function visitorOf(event: Visit): IdentityId | undefined {
  const browser = identityIn(event, 'anonymous') ?? identityIn(event, 'device')
  if (browser !== undefined) return browser
  const leading = leadingOf(event)
  return leading !== undefined && namespaceOf(leading.namespace).kind === 'person' ? leading.id : undefined
}

/** As `withSession`; events mostly arrive in order, and then only the last session is looked at. */
function withVisit(state: State, event: Visit): State {
  const at = event.time - Math.floor(event.time / DAY_MS) * DAY_MS
  const open = state.at(-1)
  if (open === undefined || at < open[0] || open[1] + GAP_MS < at) {
    return withSession(state, sessionOf(event, at, undefined))
  }
  const joined = together(open, sessionOf(event, at, open))
  return state.length === 1 ? [joined] : state.with(-1, joined)
}

/** What `open` knows from before this instant need not be read from the event again. */
function sessionOf(event: Visit, at: number, open: Session | undefined): Session {
  const { type } = event
  const sequence = event.sequence ?? 0
  const viewed = type === 'cdp.page' || type === 'cdp.screen'
  // Only pages and screens are asked where the visit came from: reading a context means to unseal the event.
  const page = viewed ? pageOf(event) : ''
  const mark: Mark | null = page === '' ? null : [at, sequence, page]
  const campaign = viewed && !isBefore(open?.[9], at) ? campaignOf(event) : undefined
  const device = viewed && !isBefore(open?.[10], at) ? deviceOf(event) : ''
  return [
    at,
    at,
    1,
    viewed ? 1 : 0,
    type === 'Product Viewed' ? 1 : 0,
    type === 'Product Added' ? 1 : 0,
    type === 'Order Completed' ? 1 : 0,
    mark,
    mark,
    campaign === undefined ? null : [at, sequence, ...campaign],
    device === '' ? null : [at, sequence, device],
  ]
}

function isBefore(mark: Mark | null | undefined, at: number): boolean {
  return mark !== null && mark !== undefined && mark[0] < at
}

function withSession(state: State, added: Session): State {
  const next: Session[] = []
  let joined = added
  let placed = false
  for (const each of state) {
    if (each[1] + GAP_MS < joined[0]) next.push(each)
    else if (joined[1] + GAP_MS < each[0]) {
      if (!placed) next.push(joined)
      placed = true
      next.push(each)
    } else joined = together(each, joined)
  }
  if (!placed) next.push(joined)
  return next
}

function together(a: Session, b: Session): Session {
  return [
    Math.min(a[0], b[0]),
    Math.max(a[1], b[1]),
    a[2] + b[2],
    a[3] + b[3],
    a[4] + b[4],
    a[5] + b[5],
    a[6] + b[6],
    earlier(a[7], b[7]),
    later(a[8], b[8]),
    earlier(a[9], b[9]),
    earlier(a[10], b[10]),
  ]
}

function rowOfSession(each: Session, visitor: string, day: string, dayMs: number): readonly [string, Row] {
  const [first, last, events, page_views, product_views, cart_adds, purchases, ...marks] = each
  const [entry, exit, campaign, device] = marks
  const started_at = dayMs + first
  const row = {
    visitor,
    day,
    started_at,
    ended_at: dayMs + last,
    seconds: Math.floor((last - first) / 1000),
    events,
    page_views,
    product_views,
    cart_adds,
    purchases,
    entry_page: entry?.[2] ?? null,
    exit_page: exit?.[2] ?? null,
    campaign_source: campaign?.[2] || null,
    campaign_medium: campaign?.[3] || null,
    campaign: campaign?.[4] || null,
    device: device?.[2] ?? null,
  } satisfies Record<keyof typeof columns, CellValue>
  return [new Date(started_at).toISOString(), row]
}
