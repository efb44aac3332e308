/**
 * Theorem: the page shows what the engine says and why, as text whatever customers wrote; counts rise as events come; it asks
 * nobody but the engine, leaves no secret in the address, and can be used with the keyboard alone, in the dark, and in a
 * window of 360 pixels.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { describeBrowser, launchBrowser } from '../support/browser.ts'
import { EngineProcess, freePort, READ_TOKEN, WRITE_KEY } from '../support/engine-process.ts'
import { HOSTILE, JANE, STORY } from './story.ts'
import type { Visit } from './visit.ts'
import { SIGNED_IN, screenshotDirectory, visit } from './visit.ts'

const SLOW_MS = 60_000
vi.setConfig({ testTimeout: SLOW_MS })

describeBrowser('the page in Chromium', () => {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-console-'))
  const pictures = screenshotDirectory()
  let engine: EngineProcess
  let browser: Browser
  const visits: Visit[] = []

  beforeAll(async () => {
    engine = new EngineProcess(await freePort(), directory, { HEADWATER_NATS_PORT: '0' })
    const [, launched] = await Promise.all([engine.start(), launchBrowser()])
    browser = launched
  }, SLOW_MS)

  afterAll(async () => {
    await browser?.close()
    await engine?.kill('SIGTERM')
    rmSync(directory, { recursive: true, force: true })
    if (pictures.temporary) rmSync(pictures.path, { recursive: true, force: true })
  }, SLOW_MS)

  afterEach(async () => {
    for (const each of visits.splice(0)) await each.close()
  })

  async function open(address = `/${SIGNED_IN}`, options = {}): Promise<Visit> {
    const visited = await visit(browser, engine.url, options)
    visits.push(visited)
    await visited.page.goto(`${engine.url}${address}`)
    return visited
  }

  /** Signed in, at an address within the page. */
  async function openAt(hash: string, options = {}): Promise<Visit> {
    const visited = await open(undefined, options)
    await visited.page.goto(`${engine.url}/${hash}`)
    return visited
  }

  async function append(events: readonly object[]): Promise<void> {
    const answer = await engine.post('/v1/events', JSON.stringify(events))
    const { position, results } = (await answer.json()) as {
      position: number
      results: readonly { status: string }[]
    }
    expect(results.filter(({ status }) => status !== 'appended')).toEqual([])
    await engine.get(`/v1/projections?after=${position}`)
  }

  const focused = (page: Page) => page.evaluate('document.activeElement.id')
  const eventually = { timeout: 10_000 }
  const picture = (page: Page, name: string) =>
    page.screenshot({ path: join(pictures.path, `${name}.png`), fullPage: true })

  test('without a token it asks for one; a wrong one is refused in words, the right one lets in', async () => {
    const { page, check, strangers } = await open('/')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(await check()).toEqual([])
    await picture(page, 'sign-in')
    for (const [wrong, words] of [
      ['nonsense', 'isn’t known'],
      [WRITE_KEY, 'needs the read token'],
    ] as const) {
      await page.getByLabel('Read token').fill(wrong)
      await page.keyboard.press('Enter')
      await page.getByRole('alert').filter({ hasText: words }).waitFor()
    }
    await page.getByLabel('Read token').fill(READ_TOKEN)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Nothing has happened yet' }).waitFor()
    expect(strangers).toEqual([])
  })

  test('credentials leave the address for this tab alone, and signing out forgets them', async () => {
    const { page, errors } = await open()
    await page.getByRole('heading', { name: 'Nothing has happened yet' }).waitFor()
    expect(page.url()).toBe(`${engine.url}/#/`)
    await page.reload()
    await page.getByRole('heading', { name: 'Nothing has happened yet' }).waitFor()
    await page.goBack().catch(() => undefined)
    expect(page.url()).not.toContain(READ_TOKEN)
    const other = await open('/')
    await other.page.getByLabel('Read token').waitFor()
    const again = await open()
    await again.page.getByRole('button', { name: 'Sign out' }).click()
    await again.page.getByLabel('Read token').waitFor()
    expect(await again.page.evaluate('sessionStorage.length')).toBe(0)
    expect(errors).toEqual([])
  })

  test('on an empty engine: a button that loads the demo company, and how far it is', async () => {
    const { page, demo, demoPosts, errors, check } = await open()
    const button = page.getByRole('button', { name: 'Load the demo company' })
    await button.waitFor()
    expect(await check()).toEqual([])
    await picture(page, 'empty')
    await button.click()
    const progress = page.getByRole('progressbar', { name: 'Loading the demo company' })
    await progress.waitFor()
    expect(demoPosts).toEqual([`Bearer ${WRITE_KEY}`])
    Object.assign(demo, { sent: 640 })
    await page.getByText('640 of 1,000 events').waitFor()
    expect(await progress.getAttribute('value')).toBe('640')
    await picture(page, 'loading')
    Object.assign(demo, { state: 'failed' })
    await page.getByRole('alert').filter({ hasText: 'Loading stopped' }).waitFor()
    await button.waitFor()
    expect(errors).toEqual([])
  })

  test('an engine without a demo offers none; without a write key it asks for one', async () => {
    const none = await open('/')
    await none.page.context().route('**/v1/demo', (route) => route.fulfill({ status: 404, json: {} }))
    await none.page.goto(`${engine.url}/${SIGNED_IN}`)
    await none.page.getByRole('heading', { name: 'Send an event' }).waitFor()
    await none.page.waitForTimeout(300)
    expect(await none.page.getByText('Look around').isVisible()).toBe(false)

    const { page, demoPosts } = await open(`/#${new URLSearchParams({ token: READ_TOKEN })}`)
    await page.getByRole('button', { name: 'Load the demo company' }).click()
    await page.getByLabel('Write key').fill('typed-key')
    await page.keyboard.press('Enter')
    await page.getByRole('progressbar').waitFor()
    expect(demoPosts).toEqual(['Bearer typed-key'])
  })

  test('the copied event, sent, turns the empty page into the overview', async () => {
    const { page, errors } = await open(undefined, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    const line = String(await page.evaluate('navigator.clipboard.readText()'))
    const [, url, event] = /^HEADWATER_URL=(\S+) npx headwater append '(\{.*\})'$/.exec(line) ?? []
    expect(url).toBe(engine.url)
    expect(line).not.toContain(WRITE_KEY)
    await append([JSON.parse(event ?? '') as object])
    await page.getByText('Events in the log').waitFor()
    await page.getByRole('link', { name: 'jane@example.com' }).waitFor()
    expect(errors).toEqual([])
  })

  test('the overview counts, and the counts rise as events come', async () => {
    await append(STORY)
    const { page, errors, strangers, check } = await open()
    const figure = (name: string) =>
      page.locator('.stat').filter({ hasText: name }).locator('.stat-figure').textContent()
    await page.locator('.stage').first().waitFor()
    const total = STORY.length + 1
    expect(await figure('Events in the log')).toBe(String(total))
    expect(await figure('Open deals')).toBe('7')
    expect(await figure('Revenue')).toBe('£1,788')
    expect(await figure('Open cases')).toBe('2')
    const people = Number(await figure('People'))
    await append([
      {
        id: 'new-1',
        source: 'web',
        type: 'cdp.identify',
        data: { userId: 'new', traits: { name: 'Nia Roberts' } },
      },
    ])
    await expect.poll(() => figure('Events in the log'), eventually).toBe(String(total + 1))
    await expect.poll(() => figure('People'), eventually).toBe(String(people + 1))
    await page.locator('.feed').getByRole('link', { name: 'Identified' }).first().waitFor()
    await page.getByRole('link', { name: /Nia Roberts/ }).waitFor()
    expect(await page.locator('#standing').textContent()).toMatch(/Log at position \d+ · views at \d+/)
    expect(await check()).toEqual([])
    await picture(page, 'overview')
    expect([errors, strangers]).toEqual([[], []])
  })

  test('search, profile, the value, where it is from and what it overruled, timeline', async () => {
    const { page, errors, strangers, check } = await open()
    await page.getByRole('searchbox').fill('whitfield')
    const result = page.getByRole('link', { name: /J\. Whitfield/ })
    await result.waitFor()
    await page.getByText('1 match for “whitfield”').waitFor()
    await picture(page, 'search')
    await result.click()
    await page.getByRole('heading', { name: 'J. Whitfield', level: 1 }).waitFor()
    const phone = page.getByRole('button', { name: /^Phone/ })
    expect(await phone.getAttribute('aria-expanded')).toBe('false')
    expect(await phone.textContent()).toContain('1 overruled')
    await phone.click()
    const why = page.locator('.panel:visible')
    const said = (await why.locator('p').first().textContent()) ?? ''
    expect(said).toMatch(
      /^\+442079460991 from erp, 3 March 2026, won because .* \(rule: source priority.*\)\.$/,
    )
    expect(await why.locator('.overruled').textContent()).toMatch(/\+442079460555.*web.*12 January 2026/)
    expect(await why.textContent()).toContain('Event jane-5')
    expect(page.url()).toContain('?field=phone')

    const timeline = page.locator('.timeline')
    expect(await timeline.locator('.event-type').allTextContents()).toEqual([
      'Case opened',
      'Opportunity won',
      'Invoice issued',
      'Contact updated',
      'Contact created',
      'Asset downloaded',
      'Page viewed',
      'Identified',
    ])
    await timeline.getByText('Invoice issued').click()
    await timeline.getByText('"sensor-kit"').waitFor()
    for (const related of ['Sensor kits', '1 order', 'Two sensors report no data']) {
      await page.locator('.related').getByText(related).waitFor()
    }
    expect(await check()).toEqual([])
    await picture(page, 'profile')
    expect([errors, strangers]).toEqual([[], []])
  })

  test('a profile that is looked at follows its events, without losing what is open', async () => {
    const { page } = await openAt('#/profiles/email:dora.lindqvist@example.org')
    const title = page.getByRole('button', { name: /^Title/ })
    await title.click()
    const before = (await title.textContent()) ?? ''
    expect(before).toContain('Head of Quality')
    await append([
      {
        id: 'dora-2',
        source: 'crm',
        type: 'contact.updated',
        time: '2026-04-02T09:00:00Z',
        data: { contact_id: 'C-3', email: 'dora.lindqvist@example.org', title: 'Director of Quality' },
      },
    ])
    await title.filter({ hasText: 'Director of Quality' }).waitFor()
    expect(await title.getAttribute('aria-expanded')).toBe('true')
    expect(await focused(page)).toBe('field-title')
  })

  test('the pipeline by stage, and a stage’s deals', async () => {
    const { page, errors, check } = await openAt('#/pipeline')
    const stage = page.getByRole('link', { name: /Prospecting/ })
    await page.getByText('7 open deals worth €462,650, weighted by probability €279,967.50').waitFor()
    expect(await stage.textContent()).toMatch(/Prospecting.*2 deals.*€27,700/)
    const names = await page.locator('.stages').first().locator('.stage-name').allTextContents()
    expect(names).toEqual([
      'Prospecting',
      'Qualification',
      'Needs Analysis',
      'Value Proposition',
      'Proposal/Price Quote',
      'Negotiation/Review',
    ])
    expect(await check()).toEqual([])
    await picture(page, 'pipeline')
    await stage.click()
    await page.getByRole('heading', { name: 'Prospecting', level: 1 }).waitFor()
    const deals = page.locator('.rows .row-name')
    await expect
      .poll(() => deals.allTextContents(), eventually)
      .toEqual(['Cold chain sensors, 3 sites', 'Fleet trackers'])
    expect(await check()).toEqual([])
    await page.goto(`${engine.url}/#/cases`)
    await page.getByText('Two sensors report no data').waitFor()
    expect(await check()).toEqual([])
    await picture(page, 'cases')
    expect(errors).toEqual([])
  })

  test('what customers write is text, wherever it stands', async () => {
    const { page, errors, strangers, check } = await openAt('#/people?q=mallory')
    await page.getByText(HOSTILE).waitFor()
    await page.getByRole('link', { name: /<img/ }).click()
    await page.getByRole('heading', { level: 1 }).filter({ hasText: HOSTILE }).waitFor()
    const buttons = page.locator('button.field')
    for (let index = 0; index < (await buttons.count()); index += 1) await buttons.nth(index).click()
    await page.locator('summary').first().click()
    await page.waitForTimeout(200)
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(await page.title()).toContain('<img')
    expect(await page.title()).not.toBe('owned')
    expect(await check()).toEqual([])
    await page.goto(`${engine.url}/#/people?${new URLSearchParams({ q: HOSTILE })}`)
    await page
      .getByText('Nobody matches')
      .or(page.getByText('could not be read'))
      .or(page.getByText('match'))
      .first()
      .waitFor()
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect([errors, strangers]).toEqual([[], []])
  })

  test('with the keyboard alone: search, open, ask why, go back', async () => {
    const { page } = await open()
    await page.locator('.stage').first().waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('whitfield')
    await page.getByText('1 match for “whitfield”').waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'J. Whitfield', level: 1 }).waitFor()
    for (let presses = 0; presses < 20; presses += 1) {
      if ((await focused(page)) === 'field-phone') break
      await page.keyboard.press('Tab')
    }
    expect(await focused(page)).toBe('field-phone')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await page.keyboard.press('Enter')
    await page.locator('.panel:visible').waitFor()
    await page.keyboard.press('Enter')
    expect(await page.locator('.panel:visible').count()).toBe(0)
    await page.goBack()
    expect(page.url()).toContain('#/people?q=whitfield')
    await page.getByRole('link', { name: /J\. Whitfield/ }).waitFor()
    expect(await page.getByRole('searchbox').inputValue()).toBe('whitfield')
    await page.goBack()
    await page.getByText('Events in the log').waitFor()
  })

  test('links lead to what they name; what isn’t there is said so', async () => {
    const { page } = await openAt(`#/profiles/${encodeURIComponent(`email:${JANE.email}`)}?field=phone`)
    await page.locator('.panel:visible').getByText('+442079460555').waitFor()
    expect(await page.title()).toBe('J. Whitfield · Headwater')
    for (const [hash, words] of [
      ['#/profiles/email:nobody@example.com', 'Nobody is known by this id'],
      ['#/people?q=zzzzzz', 'Nobody matches “zzzzzz”'],
      ['#/pipeline/nowhere', 'No deals in this stage'],
      ['#/no/such/page', 'There is nothing at this address'],
      ['#/profiles/%E0%A4%A', 'There is nothing at this address'],
    ] as const) {
      await page.goto(`${engine.url}/${hash}`)
      await page.getByText(words).waitFor()
    }
    for (const words of ['user:u-1001', JANE.email, JANE.erp, '+442079460991']) {
      await page.goto(`${engine.url}/#/people?${new URLSearchParams({ q: words })}`)
      await page.getByText('1 match for').waitFor()
      await page.getByRole('link', { name: /J\. Whitfield/ }).waitFor()
    }
  })

  for (const [name, options] of [
    ['dark', { colorScheme: 'dark' }],
    ['360', { viewport: { width: 360, height: 740 } }],
    ['360-dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
  ] as const) {
    test(`every page is fit to be read: ${name}`, async () => {
      const { page, errors, check } = await open(undefined, options)
      for (const [where, hash, ready] of [
        ['overview', '#/', '.stage'],
        ['search', '#/people?q=e', '.row'],
        ['profile', `#/profiles/email:${JANE.email}?field=phone`, '.panel:not([hidden])'],
        ['hostile', '#/profiles/email:mallory@example.net', '.field'],
        ['pipeline', '#/pipeline', '.stage'],
        ['stage', '#/pipeline/prospecting', '.row'],
        ['cases', '#/cases', '.row'],
      ] as const) {
        await page.goto(`${engine.url}/${hash}`)
        await page.locator(ready).first().waitFor()
        expect([where, await check()]).toEqual([where, []])
        await picture(page, `${where}-${name}`)
      }
      expect(errors).toEqual([])
    })
  }

  test('the checks bite: grey on grey, too wide and nameless are complained of', async () => {
    const { page, check } = await open()
    await page.locator('.stage').first().waitFor()
    await page.evaluate(`{
      const bad = document.createElement('p')
      bad.textContent = 'hardly legible'
      bad.style.color = '#bbb'
      bad.style.width = '3000px'
      document.querySelector('main').append(bad, document.createElement('button'))
    }`)
    const complaints = (await check()).join('\n')
    for (const words of ['hardly legible', 'wider than the window', 'a nameless button']) {
      expect(complaints).toContain(words)
    }
  })

  test(
    'an engine that is away is said so, and the page goes on when it is back',
    async () => {
      const { page } = await open()
      await page.locator('.live[data-state="current"]').waitFor()
      await engine.kill('SIGTERM')
      await page.getByText('The engine doesn’t answer').waitFor()
      await page.locator('.live[data-state="lost"]').waitFor()
      await picture(page, 'away')
      await engine.start()
      await page.locator('.live[data-state="current"]').waitFor({ timeout: SLOW_MS })
      expect(await page.locator('#notice').isVisible()).toBe(false)
    },
    SLOW_MS,
  )
})
