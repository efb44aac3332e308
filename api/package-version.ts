import { readFileSync } from 'node:fs'

/** This release, as package.json names it. */
export function packageVersion(): string {
  const compiled = !import.meta.url.endsWith('.ts')
  const path = new URL(compiled ? '../../package.json' : '../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  return version
}
