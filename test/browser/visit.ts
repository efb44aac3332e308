import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { READ_TOKEN, WRITE_KEY } from '../support/engine-process.ts'

/** A page that is opened as people open it, and whatever it did that it shouldn't. */

export const SIGNED_IN = `#${new URLSearchParams({ token: READ_TOKEN, key: WRITE_KEY })}`

const CHECKS = readFileSync(join(import.meta.dirname, 'page-checks.js'), 'utf8')

/** What the route `/v1/demo` answers, in a test of the page alone. */
export interface DemoState {
  state: 'absent' | 'loading' | 'loaded' | 'failed'
  sent: number
  total: number
}

export interface Visit {
  readonly page: Page
  /** Errors of the console and of scripts. */
  readonly errors: string[]
  /** Addresses beyond the engine's own. */
  readonly strangers: string[]
  /** Presses of the demo button that reached the engine, by the key that they showed. */
  readonly demoPosts: (string | undefined)[]
  readonly demo: DemoState
  /** Complaints about what is shown now. */
  check(): Promise<readonly string[]>
  close(): Promise<void>
}

export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    locale: 'en-GB',
    timezoneId: 'Europe/London',
    ...options,
  })
  const page = await context.newPage()
  const visited: Visit = {
    page,
    errors: [],
    strangers: [],
    demoPosts: [],
    demo: { state: 'absent', sent: 0, total: 0 },
    check: async () => (await page.evaluate(CHECKS)) as readonly string[],
    close: () => context.close(),
  }
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') visited.errors.push(message.text())
  })
  page.on('pageerror', (error) => visited.errors.push(String(error)))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) visited.strangers.push(request.url())
  })
  await context.route('**/v1/demo', async (route) => {
    const { demo, demoPosts } = visited
    if (route.request().method() === 'POST') {
      demoPosts.push(route.request().headers()['authorization'])
      Object.assign(demo, { state: 'loading', sent: 0, total: 1000 })
    }
    await route.fulfill({ json: demo })
  })
  return visited
}

/** Where pictures go: `HEADWATER_SCREENSHOTS`, else a new temporary directory. */
export function screenshotDirectory(): { readonly path: string; readonly temporary: boolean } {
  const stated = process.env['HEADWATER_SCREENSHOTS']
  if (stated === undefined || stated === '') {
    return { path: mkdtempSync(join(tmpdir(), 'headwater-screenshots-')), temporary: true }
  }
  mkdirSync(stated, { recursive: true })
  return { path: stated, temporary: false }
}
