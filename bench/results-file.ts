import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** `RESULTS.md`: a title and one section for each question, each written by its own bench. */

const TITLE = '# What it does on one machine'
const HEADING = /^## `([a-z]+)`/m
/** Sections stand in this order, others behind them as they came. */
const ORDER: readonly string[] = ['main', 'memory', 'log', 'open', 'project', 'duplicates']

/** Puts a question's section into the file of a directory, in place of the one before; answers the file's path. */
export function writeSection(directory: string, question: string, section: string): string {
  const path = join(directory, 'RESULTS.md')
  const page = existsSync(path) ? readFileSync(path, 'utf8') : ''
  writeFileSync(path, withSection(page, question, section))
  return path
}

/** `section`: begins with the heading that `sectionHeading` gives; no other line of it may look like one. */
export function withSection(page: string, question: string, section: string): string {
  const sections = new Map(sectionsOf(page))
  sections.set(question, `${section.trim()}\n`)
  const names = [...sections.keys()].sort((a, b) => rank(a) - rank(b))
  return [`${TITLE}\n`, ...names.map((name) => sections.get(name) ?? '')].join('\n')
}

export function sectionHeading(question: string, about: string): string {
  return `## \`${question}\`: ${about}`
}

function sectionsOf(page: string): readonly (readonly [string, string])[] {
  return page.split(/^(?=## `[a-z]+`)/m).flatMap((part) => {
    const name = HEADING.exec(part)?.[1]
    return name === undefined ? [] : [[name, `${part.trim()}\n`] as const]
  })
}

function rank(question: string): number {
  const index = ORDER.indexOf(question)
  return index < 0 ? ORDER.length : index
}
