import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
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
import { askPreview, printPreview } from './erase-preview.ts'
import { erasuresAnswer, type ShownErasure, shownErasure, standingOf } from './erasures.ts'
import { findPerson, nobody, statedIdentity, WHO_HELP } from './person.ts'
import { printable } from './printable.ts'

const MAX_WAIT_HOURS = 720
const NUMBER = /^\d{4}-\d{2}-\d{2}-[0-9a-f]{12}$/

export const erase: Command = {
  help: `Usage: headwater erase <email | namespace:value | id> [options]
       headwater erase --cancel <number | email | namespace:value | id>
       headwater erase --verify <certificate>

Has a person forgotten. It shows the identities that go, the whole profile's, and what stays; then the engine waits, a day
if nothing else is said, and carries it out: the log says that they were erased, in ids that name nobody; the values
behind the ids and the keys of everything personal are destroyed; read models and quarantine are purged. Nothing
brings it back. Totals stay as they are. Who is linked to the person until then goes too, and who is cut off stays.

${WHO_HELP}

${optionTable([
  ['--dry-run', 'show what would be erased, and ask for nothing'],
  ['--now', "don't wait; prints the certificate when it is done"],
  [
    '--wait <hours>',
    'how long it waits, and can be cancelled; default HEADWATER_ERASURE_WAIT_HOURS of the engine',
  ],
  ['--reason <text>', 'kept in the log for ever: it must name nobody'],
  ['--out <file>', 'where the certificate goes, with --now'],
  ['--cancel', 'cancel an erasure that waits, by its number or by whom it is about'],
  ['--verify <file>', 'compare a certificate with the log and the key store'],
  ['--json', 'print the answer as one line of JSON'],
])}

${CONNECTION_HELP}
It needs both, the read token and the write key.

Exit codes: 0 asked for, done, cancelled or verified · 1 nobody is known by that, it failed, or the certificate doesn't
hold · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    if (values.verify !== undefined) {
      if (positionals.length > 0) throw new UsageError('--verify takes a certificate alone')
      return verify(terminal, values.verify, values.json ?? false)
    }
    const [who, ...others] = positionals
    if (who === undefined || others.length > 0) throw new UsageError('erase takes one identity')
    if (values.now && values.wait !== undefined) throw new UsageError('--now and --wait exclude each other')
    if (values.cancel) return cancel(terminal, who, values.json ?? false)
    const wait = values.now ? 0 : wholeNumber('wait', values.wait, 0)
    if (wait !== undefined && wait > MAX_WAIT_HOURS)
      throw new UsageError(`--wait takes at most ${MAX_WAIT_HOURS} hours`)
    const { 'dry-run': dryRun = false, json = false, reason, out } = values
    if (out !== undefined && !values.now) throw new UsageError('--out needs --now')
    return request(terminal, statedIdentity(who), { wait, dryRun, json, reason, out })
  },
}

const OPTIONS = {
  'dry-run': { type: 'boolean' },
  now: { type: 'boolean' },
  wait: { type: 'string' },
  reason: { type: 'string' },
  out: { type: 'string' },
  cancel: { type: 'boolean' },
  verify: { type: 'string' },
  json: { type: 'boolean' },
} as const

interface Options {
  /** Hours; undefined: as the engine has it. */
  readonly wait: number | undefined
  readonly dryRun: boolean
  readonly json: boolean
  readonly reason: string | undefined
  readonly out: string | undefined
}

const erasureAnswer = t.type({ data: shownErasure })

async function request(terminal: Terminal, stated: string, options: Options): Promise<ExitCode> {
  const connection = await findConnection(terminal)
  const { identity } = await findPerson(connection, stated)
  if (identity === undefined) return nobody(terminal, 'erase', stated)
  const preview = await askPreview(connection, identity, stated)
  if (!options.json) printPreview(terminal, preview)
  if (options.dryRun) {
    if (options.json) terminal.out(JSON.stringify({ preview }))
    return 0
  }
  const { wait, reason } = options
  const body = await askOk(connection, {
    path: '/v1/erasures',
    admin: true,
    body: { identity, wait, reason },
  })
  const asked = decodeAnswer(erasureAnswer, body).data
  const erasure = wait === 0 ? await untilDone(terminal, connection, asked) : asked
  if (options.out !== undefined) await keep(options.out, erasure)
  if (options.json) terminal.out(JSON.stringify(wait === 0 ? erasure : { preview, erasure }))
  else printAsked(terminal, erasure, options)
  return 0
}

const LOOK_AGAIN_MS = 250
const DONE_WITHIN_MS = 600_000

/** With its proof of the log, if that comes soon. */
async function untilDone(
  terminal: Terminal,
  connection: Connection,
  { number }: ShownErasure,
): Promise<ShownErasure> {
  const { clock } = terminal
  const untilMs = clock.monotonicMs() + DONE_WITHIN_MS
  return terminal.interruptible(async (signal) => {
    for (;;) {
      const body = await askOk(connection, { path: `/v1/erasures/${number}`, signal })
      const { data } = decodeAnswer(erasureAnswer, body)
      if (data.state === 'done') return data
      const said = data.heldUp === null ? '' : `: ${printable(data.heldUp)}`
      if (clock.monotonicMs() > untilMs || data.heldUp !== null)
        throw new CommandFailed(
          `erasure ${number} is not done yet${said}. It goes on by itself; headwater erasures tells`,
        )
      await sleep(LOOK_AGAIN_MS, undefined, { signal })
    }
  })
}

async function keep(path: string, { certificate }: ShownErasure): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(certificate, null, 2)}\n`, { mode: 0o600 })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandFailed(`the erasure is done, but its certificate can't be written: ${why}`)
  }
}

function printAsked(terminal: Terminal, erasure: ShownErasure, { wait, out }: Options): void {
  terminal.out('')
  terminal.out(`Erasure ${terminal.style.bold(erasure.number)} ${standingOf(erasure)}.`)
  if (erasure.state === 'scheduled')
    terminal.out(`Until then headwater erase --cancel ${erasure.number} takes it back.`)
  if (wait !== 0) return
  if (out === undefined) terminal.out(JSON.stringify(erasure.certificate, null, 2))
  else
    terminal.out(
      `Its certificate is in ${printable(out)}; headwater erase --verify ${printable(out)} checks it.`,
    )
}

async function cancel(terminal: Terminal, who: string, json: boolean): Promise<ExitCode> {
  const connection = await findConnection(terminal)
  const number = NUMBER.test(who) ? who : await openErasureOf(connection, statedIdentity(who))
  if (number === undefined) {
    terminal.err(`headwater erase: no erasure of ${printable(who)} is waiting; headwater erasures lists all`)
    return 1
  }
  const body = await askOk(connection, { path: `/v1/erasures/${number}`, method: 'DELETE', admin: true })
  if (json) terminal.out(JSON.stringify(body))
  else terminal.out(`Erasure ${terminal.style.bold(number)} is cancelled.`)
  return 0
}

/** Erasures know ids only: it is the one that was asked for by one of the person's. */
async function openErasureOf(connection: Connection, stated: string): Promise<string | undefined> {
  const { identity } = await findPerson(connection, stated)
  if (identity === undefined) return undefined
  const { identities } = await askPreview(connection, identity, stated)
  const own = new Set([identity, ...identities.map(({ id }) => id)])
  const { data } = decodeAnswer(erasuresAnswer, await askOk(connection, { path: '/v1/erasures' }))
  return data.find((each) => each.state === 'scheduled' && own.has(each.identity))?.number
}

const verifyAnswer = t.type({
  data: t.type({
    holds: t.boolean,
    findings: t.array(t.type({ check: t.string, ok: t.boolean, message: t.string })),
  }),
})

async function verify(terminal: Terminal, path: string, json: boolean): Promise<ExitCode> {
  const certificate = await readCertificate(path)
  const connection = await findConnection(terminal)
  const body = await askOk(connection, { path: '/v1/erasures/verify', body: { certificate } })
  const { holds, findings } = decodeAnswer(verifyAnswer, body).data
  if (json) terminal.out(JSON.stringify(body))
  else {
    for (const { ok, message } of findings)
      terminal.out(`${ok ? terminal.style.dim('ok  ') : terminal.style.warn('fail')}  ${printable(message)}`)
    terminal.out(holds ? 'The certificate holds.' : terminal.style.warn('The certificate does not hold.'))
  }
  return holds ? 0 : 1
}

async function readCertificate(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${path} is not JSON`)
    throw new UsageError(`${path} can't be read`)
  }
}
