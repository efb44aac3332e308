/** What the page reads of the engine's answers; the OpenAPI document at `/docs/json` is their whole description. */

export interface Answer<T> {
  readonly position: number
  /** The newest `received` at that position; null on an empty log. */
  readonly asOf: string | null
  readonly data: T
  /** Cursor of the next page. */
  readonly next?: string | number | null
}

/** One write of a field. */
export interface Write {
  readonly value: unknown
  readonly event: string
  readonly source: string
  readonly position: number
  readonly time: string
}

export interface Explanation {
  readonly value: unknown
  readonly rule: string
  readonly winners: readonly Write[]
  readonly overruled: readonly Write[]
  /** Registered priorities of these writes' sources, the lower the more trusted. */
  readonly priorities?: Readonly<Record<string, number>>
}

export interface Identity {
  readonly id: string
  /** Absent once erased. */
  readonly namespace?: string
  readonly value?: string
}

export interface Profile {
  readonly id: string
  readonly kind: string | null
  readonly name: string | null
  readonly email: string | null
  readonly phone: string | null
  readonly company: string | null
  readonly domain: string | null
  readonly title: string | null
  readonly lifecycle: string | null
  readonly sources: readonly string[] | null
  readonly last_seen: string | null
  readonly identities?: readonly Identity[]
  readonly [column: string]: unknown
}

export interface ProfileAnswer extends Answer<Profile> {
  readonly explain?: Readonly<Record<string, Explanation>>
}

export interface ShownEvent {
  readonly position: number
  readonly id: string
  readonly source: string
  readonly type: string
  readonly time: string
  readonly identities: readonly Identity[]
  readonly data: Readonly<Record<string, unknown>>
  /** How many of its parts can't be opened any more. */
  readonly erased: number
}

/** Deals of one stage, status and currency. */
export interface StageFigures {
  readonly stage: string | null
  readonly stage_label: string | null
  readonly stage_position: number | null
  readonly status: string | null
  readonly currency: string | null
  readonly count: number
  readonly amount: string | null
  readonly weighted: string | null
}

export interface Deal {
  readonly id: string
  readonly opportunity_id: string | null
  readonly name: string | null
  readonly contact: string | null
  readonly account: string | null
  readonly owner: string | null
  readonly stage_label: string | null
  readonly status: string | null
  readonly amount: string | null
  readonly currency: string | null
  readonly close_date: string | null
}

export interface OrderTotals {
  readonly basis: string
  readonly currency: string | null
  readonly orders: number
  readonly returns: number
  readonly net: string | null
}

export interface Case {
  readonly id: string
  readonly case_id: string | null
  readonly subject: string | null
  readonly category: string | null
  readonly person: string | null
  readonly account: string | null
  readonly status: string | null
  readonly phase: string | null
  readonly priority: string | null
  readonly channel: string | null
  readonly queue: string | null
  readonly owner: string | null
  readonly opened_at: string | null
  readonly escalated: boolean | null
}

export interface CampaignMember {
  readonly campaign_id: string | null
  readonly channel: string | null
  readonly status: string | null
}

export interface Session {
  readonly started_at: string | null
  readonly entry_page: string | null
  readonly campaign: string | null
  readonly events: number | null
}

export interface RevenueFigures {
  readonly basis: string
  readonly currency: string | null
  readonly amount: string | null
}

export interface Health {
  readonly ready: boolean
  readonly reasons: readonly string[]
  readonly writer: string
  readonly head: number
  readonly projected: number
}

export interface ViewInfo {
  readonly name: string
}

export interface Demo {
  readonly state: 'absent' | 'loading' | 'loaded' | 'failed'
  readonly sent: number
  readonly total: number
}

export type Failure =
  /** The token or key is missing or unknown. */
  | { readonly kind: 'unauthorised'; readonly detail: string }
  /** A valid one of the other kind. */
  | { readonly kind: 'forbidden'; readonly detail: string }
  | { readonly kind: 'absent'; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string }
  /** Whoever asked has gone elsewhere. */
  | { readonly kind: 'aborted'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string }

export type Reply<T> =
  | { readonly ok: true; readonly body: T }
  | { readonly ok: false; readonly failure: Failure }

/** A sum that can't be added up across currencies. */
export interface Amount {
  readonly currency: string | null
  readonly amount: string | null
}

/** What the header and the overview show, at one instant. */
export interface Snapshot {
  readonly health: Health | undefined
  readonly figures: Figures | undefined
  /** Events folded per second, between the last two answers. */
  readonly rate: number | undefined
  /** Rates of the last minute, oldest first. */
  readonly rates: readonly number[]
  readonly failure: Failure | undefined
}

export interface Figures {
  readonly events: number
  readonly people: number
  readonly stages: readonly StageFigures[]
  readonly revenue: readonly RevenueFigures[]
  /** Undefined where the engine has no such view. */
  readonly openCases: number | undefined
  readonly position: number
  readonly asOf: string | null
}

/** Where the address points. */
export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'people'; readonly query: string }
  | { readonly page: 'profile'; readonly id: string; readonly field: string | undefined }
  | { readonly page: 'pipeline' }
  | { readonly page: 'stage'; readonly stage: string }
  | { readonly page: 'cases' }
  | { readonly page: 'nowhere' }

/** One page: its element, and what it does while it is shown. */
export interface Page {
  readonly title: string
  readonly element: HTMLElement
  /** Called with every snapshot while the page is shown. */
  readonly onSnapshot?: (snapshot: Snapshot) => void
}
