import { strict as assert } from 'node:assert'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { chromium } from 'playwright-core'
import { describe } from 'vitest'

/** The executable that the tests drive: `CHROMIUM_PATH`, else the usual places; undefined where there is none. */
const executablePath = findChromium()

if (executablePath === undefined && process.env['CI'] === 'true') {
  throw new Error(
    'the browser tests need Chromium (CHROMIUM_PATH), and under CI=true they may not be skipped',
  )
}

/** A suite that needs a real Chromium; without one it is skipped, and said so by name. */
export function describeBrowser(name: string, suite: () => void): void {
  if (executablePath === undefined)
    console.warn(`skipped, there is no Chromium (CHROMIUM_PATH, PATH): ${name}`)
  describe.skipIf(executablePath === undefined)(name, suite)
}

/** A headless Chromium that calls nobody by itself; whoever launches it closes it. */
export function launchBrowser(): Promise<Browser> {
  assert(executablePath !== undefined, 'launchBrowser is for suites of describeBrowser')
  return chromium.launch({
    executablePath,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
}

function findChromium(): string | undefined {
  const stated = process.env['CHROMIUM_PATH']
  if (stated !== undefined && stated !== '') return existsSync(stated) ? stated : undefined
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => entry !== '')
  const directories = ['/usr/bin', ...onPath]
  return directories
    .flatMap((directory) => ['chromium', 'chromium-browser'].map((name) => join(directory, name)))
    .find((path) => existsSync(path))
}
