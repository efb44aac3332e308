/**
 * Theorem: what the README says about configuration and commands is what the code has.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configurationTable } from '../../api/configuration.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

test('the configuration table is the code’s', () => {
  const shown = /<!-- configuration table -->\n([\s\S]*?)<!-- \/configuration table -->/.exec(readme)?.[1]
  expect(shown).toBe(configurationTable())
})

test('every file that the documents point at exists', () => {
  for (const name of ['README.md', 'ARCHITECTURE.md']) {
    const text = readFileSync(join(ROOT, name), 'utf8')
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, target]) => target ?? '')
    expect(links.length).toBeGreaterThan(0)
    for (const target of links)
      expect(() => readFileSync(join(ROOT, target)), `${name}: ${target}`).not.toThrow()
  }
})

test('CI runs exactly the README’s test command', () => {
  const command = /^npm install && npm test/m.exec(readme)?.[0]
  expect(command).toBeDefined()
  expect(readFileSync(join(ROOT, '.ci', 'run'), 'utf8').split('\n')).toContain(command)
})
