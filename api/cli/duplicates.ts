import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  CommandFailed,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
  wholeNumber,
} from './command.ts'
import { askOk, type Connection, decodeAnswer, findConnection } from './connection.ts'
import { statedIdentity, WHO_HELP } from './person.ts'
import { printable, valueText } from './printable.ts'
import { decisionAnswer, printDecision } from './show-decision.ts'
import { nameOf, shownIdentity } from './show-identity.ts'

const nullableText = t.union([t.string, t.null])
const side = t.type({ id: t.string, name: nullableText, identities: t.array(shownIdentity) })
const reason = t.type({ field: t.string, level: t.string, bits: t.number, a: nullableText, b: nullableText })
const duplicate = t.type({
  kind: t.string,
  a: side,
  b: side,
  probability: t.number,
  bits: t.number,
  priorBits: t.number,
  reasons: t.array(reason),
  obstacle: t.union([t.type({ reason: t.string, detail: t.string }), t.null]),
})
type Duplicate = t.TypeOf<typeof duplicate>

const count = t.type({
  kind: t.string,
  profiles: t.type({ compared: t.number, sparse: t.number, leftOut: t.number }),
  pairs: t.type({ compared: t.number, leftOut: t.number }),
  candidates: t.type({ kept: t.number, decided: t.number, households: t.number, leftOut: t.number }),
  reliable: t.boolean,
})
const run = t.type({
  position: t.number,
  done: t.string,
  candidates: t.number,
  linked: t.number,
  kinds: t.array(count),
})
type Run = t.TypeOf<typeof run>

const listAnswer = t.type({
  data: t.array(duplicate),
  next: nullableText,
  run: t.union([run, t.null]),
})
const statusAnswer = t.type({
  data: t.intersection([
    t.type({ state: t.string }),
    t.partial({ failure: nullableText, run: t.union([run, t.null]) }),
  ]),
})

const DEFAULT_LIMIT = 20
/** The longest that one request is kept waiting; asked again until the run is over. */
const WAIT_MS = 10_000

const OPTIONS = {
  run: { type: 'boolean' },
  limit: { type: 'string' },
  kind: { type: 'string' },
  'min-probability': { type: 'string' },
  'dry-run': { type: 'boolean' },
  reason: { type: 'string' },
  steward: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const duplicates: Command = {
  help: `Usage: headwater duplicates [--run] [--limit <n>] [options]
       headwater duplicates link <a> <b> [--dry-run] [options]
       headwater duplicates keep-apart <a> <b> [--dry-run] [options]

Profiles that are probably one person, or one company, though nothing links them: the surest first, with what speaks for it
and against it, field by field in bits (each doubles the odds). link makes them one, headwater cut undoes it; keep-apart
says that they are two. Neither is proposed again. The engine looks by itself once a day; --run has it look now.

${WHO_HELP}

${optionTable([
  ['--run', 'look now, and wait for it'],
  ['--limit <n>', `how many; default ${DEFAULT_LIMIT}`],
  ['--kind <kind>', 'person or company alone'],
  ['--min-probability <p>', 'none less probable; 0 to 1'],
  ['--dry-run', 'of link and keep-apart: show what would become of them, and append nothing'],
  ['--reason <text>', 'of link and keep-apart: kept in the log in clear, it must name nobody'],
  ['--steward <name>', 'who decides; default steward'],
  ['--json', 'print the answer as one line of JSON'],
])}

${CONNECTION_HELP}
--run, link and keep-apart need both, the read token and the write key.

Exit codes: 0 answered or decided · 1 nobody is known by that, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [act, ...who] = positionals
    if (act === undefined) {
      if (values['dry-run']) throw new UsageError('--dry-run is of link and keep-apart')
      return list(values, terminal)
    }
    if (act !== 'link' && act !== 'keep-apart')
      throw new UsageError(`duplicates knows link and keep-apart, not ${act}`)
    return decide(act, who, values, terminal)
  },
}

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>['values']

async function list(values: Values, terminal: Terminal): Promise<ExitCode> {
  const limit = wholeNumber('limit', values.limit, 1) ?? DEFAULT_LIMIT
  const connection = await findConnection(terminal)
  if (values.run) await lookNow(connection)
  const query = new URLSearchParams({ limit: String(limit) })
  if (values.kind !== undefined) query.set('kind', values.kind)
  if (values['min-probability'] !== undefined) query.set('minProbability', values['min-probability'])
  const body = await askOk(connection, { path: `/v1/duplicates?${query}` })
  if (values.json) terminal.out(JSON.stringify(body))
  else print(terminal, decodeAnswer(listAnswer, body))
  return 0
}

async function lookNow(connection: Connection): Promise<void> {
  let path = `/v1/duplicates/run?wait=${WAIT_MS}`
  for (let body: unknown = {}; ; body = undefined) {
    const answer = await askOk(connection, { path, admin: true, body })
    const { state, failure } = decodeAnswer(statusAnswer, answer).data
    if (state === 'idle' && typeof failure === 'string') throw new CommandFailed(failure)
    if (state === 'idle') return
    path = `/v1/duplicates/status?wait=${WAIT_MS}`
  }
}

function print(terminal: Terminal, { data, next, run: last }: t.TypeOf<typeof listAnswer>): void {
  if (last === null) {
    terminal.out('Nothing was looked for since the engine started: headwater duplicates --run does.')
    return
  }
  for (const [i, each] of data.entries())
    for (const line of linesOf(terminal, each, i + 1)) terminal.out(line)
  if (data.length === 0) terminal.out('Nobody waits for a decision.')
  else if (next !== null) terminal.out('There are more: --limit tells how many are shown.')
  for (const line of runLines(last)) terminal.out(terminal.style.dim(line))
}

function linesOf({ style }: Terminal, each: Duplicate, number: number): readonly string[] {
  const { kind, a, b, probability, bits, priorBits, reasons, obstacle } = each
  const told = reasons.filter(({ a: mine, b: theirs }) => mine !== null || theirs !== null)
  const width = Math.max(...told.map(({ field }) => field.length), 0)
  const levels = Math.max(...told.map(({ level }) => level.length), 0)
  return [
    style.bold(`${number}. ${percent(probability)} one ${kind}`) +
      style.dim(`  ${signed(bits)} bits: ${signed(priorBits)} before any reason`),
    `  a  ${sideText(a)}`,
    `  b  ${sideText(b)}`,
    ...told.map((reason) => {
      const values = `${shownValue(reason.a)} | ${shownValue(reason.b)}`
      return `     ${reason.field.padEnd(width)}  ${reason.level.padEnd(levels)}  ${signed(reason.bits).padStart(6)}  ${values}`
    }),
    ...(obstacle === null
      ? []
      : [
          style.warn(
            `     a link would not be followed, for ${obstacle.reason}: ${printable(obstacle.detail)}`,
          ),
        ]),
  ]
}

function sideText({ id, name, identities }: t.TypeOf<typeof side>): string {
  const shown = identities.map(nameOf).join(', ')
  return `${id}  ${name === null ? '' : `${printable(name)}: `}${shown}`
}

function shownValue(value: string | null): string {
  return value === null ? '–' : valueText(value)
}

function signed(bits: number): string {
  return `${bits < 0 ? '' : '+'}${bits.toFixed(1)}`
}

/** Never 100 %: nothing here is certain. */
function percent(probability: number): string {
  return `${Math.min(Math.floor(probability * 10_000) / 100, 99.99).toFixed(2)} %`
}

function runLines({ done, position, candidates, linked, kinds }: Run): readonly string[] {
  const head = `looked for ${done}, at position ${position}: ${candidates} proposed${linked > 0 ? `, ${linked} linked without asking` : ''}`
  const counts = kinds.map(({ kind, profiles, pairs, candidates: kept, reliable }) => {
    const left = [
      [profiles.sparse, 'profiles that tell too little'],
      [profiles.leftOut, 'profiles beyond the limit'],
      [pairs.leftOut, 'pairs not compared'],
      [kept.leftOut, 'proposals beyond the limit'],
      [kept.decided, 'decided before'],
      [kept.households, 'taken for households'],
    ] as const
    const told = left.filter(([number]) => number > 0).map(([number, what]) => `, ${number} ${what}`)
    const doubt = reliable ? '' : '; look twice: what was learnt is not what makes two profiles one'
    return `${kind}: ${profiles.compared} profiles, ${pairs.compared} pairs compared${told.join('')}${doubt}`
  })
  return [head, ...counts]
}

async function decide(
  act: 'link' | 'keep-apart',
  who: readonly string[],
  { reason, steward, json, 'dry-run': dryRun = false }: Values,
  terminal: Terminal,
): Promise<ExitCode> {
  const [a, b, ...others] = who
  if (a === undefined || b === undefined || others.length > 0)
    throw new UsageError(`${act} takes two profiles`)
  const decision = act === 'link' ? 'link' : 'keep_apart'
  const body = { a: statedIdentity(a), b: statedIdentity(b), decision, reason, steward }
  const connection = await findConnection(terminal)
  const path = `/v1/duplicates/decision?dryRun=${dryRun}`
  const answer = await askOk(connection, { path, admin: true, body })
  if (!json) return printDecision(terminal, decodeAnswer(decisionAnswer, answer))
  terminal.out(JSON.stringify(answer))
  return 0
}
