/**
 * Theorem: sessions are the stretches of a visitor's day without a gap of more than 30 minutes, in whatever order the
 * events arrive; an hour's figures count what happened in it.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hourlyActivity } from '../../projections/analytics/hourly-activity.ts'
import { session } from '../../projections/cdp/session.ts'
import { event, idOf, ms, NO_CONFIGURATION, onlyRow, rows } from './given.ts'

const web = (type: string, at: string, data: Record<string, unknown> = {}) =>
  event(type, { anonymousId: 'a1', ...data }, { at, source: 'web' })
const page = (at: string, path: string, context: Record<string, unknown> = {}) =>
  web('cdp.page', at, { properties: { path }, context })

describe('session', () => {
  test('one visit: counts, first and last page, campaign and device of its beginning', () => {
    const visit = [
      page('2026-03-01T12:20:00Z', '/pricing', { campaign: { source: 'bing', name: 'later' } }),
      page('2026-03-01T12:00:00Z', '/', {
        page: { url: 'https://shop.example/?utm_source=news&utm_medium=email&utm_campaign=spring#top' },
        userAgent: 'Mozilla/5.0 (Linux; Android 15; Pixel 9) Mobile Safari/537.36',
      }),
      web('Product Viewed', '2026-03-01T12:21:00Z', { product_id: 'p' }),
      web('Product Added', '2026-03-01T12:22:00Z', { product_id: 'p' }),
      web('Order Completed', '2026-03-01T12:52:00Z', { order_id: 'o' }),
    ]
    expect(onlyRow(session, visit)).toEqual({
      visitor: idOf({ namespace: 'anonymous', value: 'a1' }),
      day: '2026-03-01',
      started_at: ms('2026-03-01T12:00:00Z'),
      ended_at: ms('2026-03-01T12:52:00Z'),
      seconds: 3_120,
      events: 5,
      page_views: 2,
      product_views: 1,
      cart_adds: 1,
      purchases: 1,
      entry_page: '/',
      exit_page: '/pricing',
      campaign_source: 'news',
      campaign_medium: 'email',
      campaign: 'spring',
      device: 'mobile',
    })
  })

  test('30 minutes still belong together, a millisecond more does not; a late event joins what it bridges', () => {
    const first = page('2026-03-01T12:00:00.000Z', '/a')
    const near = page('2026-03-01T12:30:00.000Z', '/b')
    const far = page('2026-03-01T12:30:00.001Z', '/c')
    expect(rows(session, [first, near])).toHaveLength(1)
    expect(rows(session, [first, far])).toHaveLength(2)
    const between = page('2026-03-01T12:15:00Z', '/late')
    expect(onlyRow(session, [far, first, between])).toMatchObject({
      events: 3,
      entry_page: '/a',
      exit_page: '/c',
    })
  })

  test('midnight ends a session; signing in doesn’t; companies and nobody have none', () => {
    const before = page('2026-03-01T23:59:00Z', '/a')
    const after = page('2026-03-02T00:01:00Z', '/b')
    expect(rows(session, [before, after]).map(({ day }) => day)).toEqual(['2026-03-01', '2026-03-02'])
    const known = web('cdp.track', '2026-03-02T00:02:00Z', { userId: 'u1', event: 'Signed In' })
    expect(rows(session, [after, known])).toHaveLength(1)
    expect(session.keys(event('cdp.page', {}) as never)).toEqual([])
    expect(session.keys(event('article.viewed', { article_id: 'x', account_id: 'A1' }) as never)).toEqual([])
  })

  test('any order and any split gives the stretches that sorting the day gives', () => {
    const minutes = fc.array(fc.nat({ max: 1_439 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(minutes, fc.nat(), (all, cut) => {
        const events = all.map((minute) => page(new Date(minute * 60_000).toISOString(), `/${minute}`))
        const fold = (some: typeof events) =>
          some.reduce(
            (state, each) => session.reduce(state, each as never, { all: () => [] }, 'k'),
            session.initial('k'),
          )
        const at = cut % all.length
        const whole = fold(events)
        expect(session.join(fold(events.slice(at)), fold(events.slice(0, at)), NO_CONFIGURATION)).toEqual(
          whole,
        )
        const stretches: number[][] = []
        for (const minute of all.toSorted((a, b) => a - b)) {
          const open = stretches.at(-1)
          if (open !== undefined && minute - (open.at(-1) ?? 0) <= 30) open.push(minute)
          else stretches.push([minute])
        }
        const expected = stretches.map((each) => ({
          seconds: ((each.at(-1) ?? 0) - (each[0] ?? 0)) * 60,
          events: each.length,
          entry_page: `/${each[0]}`,
          exit_page: `/${each.at(-1)}`,
        }))
        const shown = [
          ...session.table.rows(whole, { all: () => [] }, `${'a'.repeat(32)} 1970-01-01`).values(),
        ]
        expect(
          shown.map(({ seconds, events, entry_page, exit_page }) => ({
            seconds,
            events,
            entry_page,
            exit_page,
          })),
        ).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })
})

test('hourly_activity: each hour and source by itself; what it doesn’t count makes no row', () => {
  const events = [
    web('Product Viewed', '2026-03-01T11:59:59.999Z'),
    web('Product Viewed', '2026-03-01T11:00:00Z'),
    web('Product Added', '2026-03-01T12:00:00Z'),
    web('cdp.track', '2026-03-01T12:10:00Z', { event: 'Product Added to Wishlist' }),
    web('cdp.track', '2026-03-01T14:10:00Z', { event: 'Tea Brewed' }),
  ]
  const none = { page_views: 0, product_views: 0, cart_adds: 0, favourites: 0, checkouts: 0, purchases: 0 }
  const common = { day: '2026-03-01', source: 'web', ...none }
  expect(rows(hourlyActivity, events)).toEqual([
    { ...common, hour: ms('2026-03-01T11:00:00Z'), product_views: 2 },
    { ...common, hour: ms('2026-03-01T12:00:00Z'), cart_adds: 1, favourites: 1 },
  ])
})
