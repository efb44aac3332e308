import { parseArgs } from 'node:util'
import * as E from 'fp-ts/lib/Either.js'
import { DEFAULT_PEOPLE, MAX_PEOPLE } from '../simulator/year.ts'

export interface DemoOptions {
  readonly people: number
  readonly seed: number
  /** HTTP and NATS; where one is taken, a free one serves instead. 0: a free one. */
  readonly port: number
  readonly natsPort: number
  /** Events a second, once the year is loaded. */
  readonly rate: number
}

export const DEFAULT_PORT = 7070
const DEFAULT_NATS_PORT = 4222
const DEFAULT_RATE = 20

export const DEMO_HELP = `Usage: npm run demo -- [options]

A company's made-up year on an engine of its own, in a temporary directory that is removed at the end.

  --people <n>     how many people the company deals with; default ${DEFAULT_PEOPLE}, at most ${MAX_PEOPLE}
  --seed <n>       another year with the same story; default 1
  --rate <n>       events a second once the year is loaded; default ${DEFAULT_RATE}
  --port <n>       for HTTP; default ${DEFAULT_PORT}, or a free one where that is taken; 0 takes a free one
  --nats-port <n>  the same for NATS; default ${DEFAULT_NATS_PORT}

Exit codes: 0 ended by Ctrl-C · 1 it could not go on, or something acknowledged was not in the log · 2 wrong options`

const NUMBERS = {
  people: { fallback: DEFAULT_PEOPLE, least: 1, most: MAX_PEOPLE },
  seed: { fallback: 1, least: 0, most: 1_000_000_000 },
  rate: { fallback: DEFAULT_RATE, least: 0, most: 1_000 },
  port: { fallback: DEFAULT_PORT, least: 0, most: 65_535 },
  'nats-port': { fallback: DEFAULT_NATS_PORT, least: 0, most: 65_535 },
} as const

type Name = keyof typeof NUMBERS

/** 'help', or what is wrong. */
export function readOptions(args: readonly string[]): E.Either<string, DemoOptions | 'help'> {
  const text = { type: 'string' } as const
  const known = { people: text, seed: text, rate: text, port: text, 'nats-port': text }
  let values: Partial<Record<Name, string>> & { readonly help?: boolean }
  try {
    values = parseArgs({
      args: [...args],
      options: { ...known, help: { type: 'boolean', short: 'h' } },
    }).values
  } catch (error) {
    return E.left(error instanceof Error ? (error.message.split('. ')[0] ?? '') : 'wrong options')
  }
  if (values.help === true) return E.right('help')
  const wrong: string[] = []
  const read = (name: Name): number => {
    const { fallback, least, most } = NUMBERS[name]
    const stated = values[name]
    if (stated === undefined) return fallback
    const number = /^\d{1,10}$/.test(stated) ? Number(stated) : Number.NaN
    if (!(number >= least && number <= most))
      wrong.push(`--${name} takes a whole number from ${least} to ${most}`)
    return number
  }
  const options = {
    people: read('people'),
    seed: read('seed'),
    rate: read('rate'),
    port: read('port'),
    natsPort: read('nats-port'),
  }
  return wrong.length > 0 ? E.left(wrong.join('; ')) : E.right(options)
}
