import * as E from 'fp-ts/lib/Either.js'
import { type Configuration, loadConfiguration, settingNames } from '../configuration.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The configuration as the engine would read it; a setting that is wrong is told, and its default stands. */
export function checkEnvironment(env: Environment): {
  readonly findings: readonly Finding[]
  readonly configuration: Configuration
} {
  const loaded = loadConfiguration(env)
  const wrong = E.isLeft(loaded) ? loaded.left : []
  const findings = [
    // The messages quote no secret.
    ...wrong.map(({ message }) => fail('environment', message, 'correct it, or unset it for its default')),
    ...unknown(env).map(({ name, meant }) => {
      const advice =
        meant === undefined ? 'unset it, or look for its name in the README' : `did you mean ${meant}?`
      return warn('environment', `${name} is set, but nothing reads it`, advice)
    }),
  ]
  const without = new Set(wrong.map(({ variable }) => variable))
  const rest = E.isRight(loaded)
    ? loaded
    : loadConfiguration(Object.fromEntries(Object.entries(env).filter(([name]) => !without.has(name))))
  if (E.isLeft(rest)) throw new Error('a setting is still wrong after those that were wrong are gone')
  const { host } = rest.right
  if (!isLoopback(host)) findings.push(warn('environment', `HTTP listens on ${host}`, BEHIND_TLS))
  const known = settingNames().filter((name) => (env[name] ?? '') !== '')
  const told = known.length === 0 ? 'nothing is set: every default holds' : `set: ${known.join(', ')}`
  return { findings: findings.length === 0 ? [ok('environment', told)] : findings, configuration: rest.right }
}

const BEHIND_TLS =
  'customer data goes over the network: put TLS in front, and name the host in HEADWATER_ALLOWED_HOSTS'

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host)
}

/** Variables of our prefix that nothing reads, and others that look like one of ours. */
function unknown(env: Environment): readonly { readonly name: string; readonly meant: string | undefined }[] {
  const known = settingNames()
  return Object.keys(env)
    .filter((name) => !known.includes(name))
    .sort()
    .flatMap((name) => {
      const ours = name.startsWith('HEADWATER_')
      const meant = nearest(name, known, ours ? 3 : 1)
      return ours || (meant !== undefined && name.length > 5) ? [{ name, meant }] : []
    })
}

/** The known name that is at most `most` mistakes away, the nearest one. */
export function nearest(name: string, known: readonly string[], most: number): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, mistakes: mistakesBetween(name, candidate) }))
    .filter(({ mistakes }) => mistakes <= most)
    .sort((a, b) => a.mistakes - b.mistakes)
  return ranked[0]?.candidate
}

/** Letters to insert, drop, replace or swap with their neighbour (optimal string alignment distance). */
function mistakesBetween(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (up: number, left: number) => rows[i - up]?.[j - left] ?? 0
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const kept = at(1, 1) + (same ? 0 : 1)
      const swap = swapped ? at(2, 2) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(at(1, 0) + 1, (row[j - 1] ?? 0) + 1, kept, swap))
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}
