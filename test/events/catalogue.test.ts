// Every event type of the catalogue takes the data that it describes, as sent and without its personal parts (as after
// an erasure), and refuses a wrong type in any property that it declares, naming the place and never the value.

import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { personalProperties, propertyCodecs, requiredProperties } from '../../engine/events/personal.ts'
import { registry, SPEC_NAMES } from '../../engine/events/registry.ts'
import { normalise, statedIdentities } from '../../engine/intake/normalise.ts'
import { arbitraryData } from '../support/arbitrary.ts'

const all: readonly (readonly [string, EventDefinition])[] = registry.types.map((type) => {
  const definition = registry.find(type)
  if (definition === undefined) throw new Error(`${type} is listed and not found`)
  return [type, definition]
})

const RUNS = { numRuns: 15 }

/** The first edition's names, as it writes them. */
const EDITION = `
cdp.identify cdp.track cdp.page cdp.screen cdp.group cdp.alias social.interacted
identity.linked identity.cut identity.cut_lifted identity.kept_apart
segment.defined trait.defined field.defined object.defined rules.published workflow.published workflow.paused
stages.published source.registered model.published target.set quota.set exchange_rate.published
user.created user.updated user.archived team.created team.updated team.archived
territory.created territory.updated territory.archived
Email_Delivered Email_Opened Email_Link_Clicked Email_Bounced Email_Marked_as_Spam Unsubscribed
marketing.message_sent marketing.form_submitted marketing.asset_downloaded marketing.webinar_attended
marketing.campaign_created marketing.campaign_launched marketing.campaign_completed
marketing.campaign_member_status_changed
marketing.journey_entered marketing.journey_advanced marketing.journey_exited marketing.spend_recorded
experiment.started experiment.assigned experiment.ended
lead.created lead.updated lead.lifecycle_changed lead.lifecycle_regressed lead.qualified lead.assigned lead.accepted
lead.rejected lead.first_responded lead.escalated lead.recalled lead.recycled lead.disqualified lead.converted
account.created account.updated account.archived contact.created contact.updated contact.archived
opportunity.created opportunity.updated opportunity.archived opportunity.stage_changed
opportunity.forecast_overridden opportunity.won opportunity.lost
product.created product.updated product.archived price_book.created price_book.updated price_book.archived
quote.created quote.sent quote.accepted order.placed activity.logged call.started call.ended
task.created task.completed task.cancelled
case.opened case.updated case.assigned case.escalated case.responded case.waiting case.resolved case.reopened case.closed
Live_Chat_Conversation_Started csat.submitted article.published article.viewed
work_order.created work_order.scheduled work_order.dispatched work_order.completed stock.moved timesheet.recorded
contract.started contract.renewed contract.ended
Product_Viewed Product_Added Cart_Viewed Checkout_Started
Order_Completed Order_Updated Order_Refunded Order_Cancelled
erp.invoice_issued erp.payment_received erp.shipment_sent subscription.changed
consent.granted consent.denied consent.revoked privacy.requested privacy.completed person.suppressed person.erased
event.quarantined event.resubmitted conflict.resolved field.locked field.unlocked projection.switched clock.advanced`
  .trim()
  .split(/\s+/)

test('the first edition is there, name by name', () => {
  expect([...registry.types].sort()).toEqual(
    EDITION.map((name) => name.replaceAll('_', nameSpace(name))).sort(),
  )
})

/** Spec names are written with blanks. */
function nameSpace(name: string): string {
  return /^[A-Z]/.test(name) ? ' ' : '_'
}

test('spec names are those that Segment writes', () => {
  expect([...SPEC_NAMES].every((name) => /^[A-Z][A-Za-z ]+$/.test(name))).toBe(true)
  expect(SPEC_NAMES.has('Order Completed')).toBe(true)
  expect(SPEC_NAMES.has('lead.created')).toBe(false)
  expect(SPEC_NAMES.size).toBe(EDITION.filter((name) => /^[A-Z]/.test(name)).length)
})

/** Names that mean a person or company wherever they stand at the top of an event's data. */
const ALWAYS_PERSONAL: ReadonlySet<string> = new Set(
  `userId anonymousId previousId groupId context traits properties recipients participants identities evidence
  contact_id lead_id customer_id account_id company_id anonymous_id email phone company domain parent handle
  first_name last_name address shipping_address billing_address notes message_body comment subject content
  link_url email_subject recording_url tracking_number`.split(/\s+/),
)

test('nothing that tells of a customer stands in the log in clear', () => {
  const named = /^(lead|account|contact|opportunity|consent|privacy|person|case|call|activity)\./
  for (const [type, definition] of all) {
    const sealed = personalProperties(definition)
    for (const { name } of propertyCodecs(definition.codec)) {
      const tells = ALWAYS_PERSONAL.has(name) || (/^(name|message)$/.test(name) && named.test(type))
      // People who work here have clear ids; their user id is not a customer's.
      const customer = name === 'user_id' && !type.startsWith('user.')
      if (tells || customer)
        expect({ type, name, sealed: sealed.has(name) }).toEqual({ type, name, sealed: true })
    }
  }
})

describe.each(all)('%s', (type, definition) => {
  test('takes valid data unchanged, through JSON too, and without its personal parts', () => {
    fc.assert(
      fc.property(arbitraryData(definition), (data) => {
        const decoded = registry.decode(type, definition.schema, data)
        expect(decoded).toEqual(E.right({ data, definition }))
        const json: unknown = JSON.parse(JSON.stringify(data))
        expect(E.isRight(registry.decode(type, definition.schema, json))).toBe(true)
        const clear = Object.fromEntries(
          Object.entries(data).filter(([name]) => !personalProperties(definition).has(name)),
        )
        expect(E.isRight(registry.decode(type, definition.schema, clear))).toBe(true)
      }),
      RUNS,
    )
  })

  test('every reason of a refusal is where the codec says no', () => {
    const properties = [...propertyCodecs(definition.codec)]
    const wrong = properties.flatMap(({ name, codec }) =>
      WRONG.filter((value) => !codec.is(value)).map((value) => ({ name, value })),
    )
    if (wrong.length === 0) return
    fc.assert(
      fc.property(arbitraryData(definition), fc.constantFrom(...wrong), (data, { name, value }) => {
        const decoded = registry.decode(type, definition.schema, { ...data, [name]: value })
        if (!E.isLeft(decoded) || decoded.left._tag !== 'invalid_data') throw new Error(`${name} was taken`)
        expect(decoded.left.errors.map(({ path }) => path.split('.')[0])).toEqual([name])
        expect(JSON.stringify(decoded.left.errors)).not.toContain('zebra')
      }),
      RUNS,
    )
  })

  test('what is required is required', () => {
    const required = [...requiredProperties(definition)]
    if (required.length === 0) return
    fc.assert(
      fc.property(arbitraryData(definition), fc.constantFrom(...required), (data, name) => {
        const { [name]: _, ...rest } = data
        const decoded = registry.decode(type, definition.schema, rest)
        if (!E.isLeft(decoded) || decoded.left._tag !== 'invalid_data')
          throw new Error(`${name} may be missing`)
        expect(decoded.left.errors[0]?.path).toBe(name)
        expect(decoded.left.errors[0]?.message).toMatch(/^missing/)
      }),
      { numRuns: 5 },
    )
  })

  test('every identity path leads to the identity', () => {
    const paths = definition.identities.filter(([namespace]) => namespace !== '*')
    for (const [namespace, path] of paths) {
      const value = { email: 'ann@example.com', phone: '+442079460958' }[namespace as string] ?? 'x-1'
      const data = nest(path.split('.'), value)
      const normalised = normalise(definition, data, {})
      expect(statedIdentities(definition, data, normalised)).toEqual([{ namespace, value }])
    }
  })

  test('normalising any valid data succeeds', () => {
    fc.assert(
      fc.property(arbitraryData(definition), (data) => {
        const normalised = normalise(definition, data, {
          country: 'GB',
          currency: 'GBP',
          timeZone: 'Europe/London',
        })
        for (const value of Object.values(normalised)) expect(['string', 'number']).toContain(typeof value)
        statedIdentities(definition, data, normalised)
      }),
      RUNS,
    )
  })
})

/** Values of every JSON form; each property refuses at least some. `zebra` must not come back in a reason. */
const WRONG: readonly unknown[] = [
  true,
  12.5,
  Number.NaN,
  '\ud800 zebra',
  'zebra'.repeat(60_000),
  [['zebra']],
  { zebra: Symbol('zebra') },
  Number.POSITIVE_INFINITY,
]

function nest(segments: readonly string[], value: unknown): Record<string, unknown> {
  const [first = '', ...rest] = segments
  return { [first]: rest.length === 0 ? value : nest(rest, value) }
}
