import type { EventType } from '../engine/events/catalogue.ts'

/** How far a person or company has come; `other` and words that nobody knows come before all of these. */
export const LIFECYCLE = [
  'subscriber',
  'lead',
  'marketing_qualified',
  'sales_qualified',
  'opportunity',
  'customer',
  'evangelist',
] as const

const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['mql', 'marketing_qualified'],
  ['marketing', 'marketing_qualified'],
  ['marketing_qualified_lead', 'marketing_qualified'],
  ['sql', 'sales_qualified'],
  ['sales', 'sales_qualified'],
  ['sales_qualified_lead', 'sales_qualified'],
])

/** The vocabulary's word for `MQL`, `Sales Qualified` and the like; other words as sent. */
export function lifecycleOf(sent: string): string {
  const word = sent
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_')
  const meant = SPELLINGS.get(word) ?? word
  return meant === 'other' || LIFECYCLE.some((stage) => stage === meant) ? meant : sent
}

/** A qualified lead is marketing's unless the sender says that sales qualified it. */
export function qualifiedStage(qualification: string | null | undefined): string {
  const stage = lifecycleOf(qualification ?? '')
  return stage === 'sales_qualified' ? stage : 'marketing_qualified'
}

/** What a person does themself, as against what is done about them. */
export const ACTS = [
  'cdp.identify',
  'cdp.track',
  'cdp.page',
  'cdp.screen',
  'cdp.group',
  'cdp.alias',
  'social.interacted',
  'Email Opened',
  'Email Link Clicked',
  'Unsubscribed',
  'marketing.form_submitted',
  'marketing.asset_downloaded',
  'marketing.webinar_attended',
  'Live Chat Conversation Started',
  'csat.submitted',
  'article.viewed',
  'Product Viewed',
  'Product Added',
  'Cart Viewed',
  'Checkout Started',
  'Order Completed',
  'order.placed',
  'erp.invoice_issued',
] as const satisfies readonly EventType[]
