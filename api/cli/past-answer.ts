import { setTimeout as sleep } from 'node:timers/promises'
import * as t from 'io-ts'
import { CommandFailed, type Terminal } from './command.ts'
import { ask, type Connection, decodeAnswer, refusalText } from './connection.ts'
import { type Past, pastQuery } from './person.ts'

/** The longest that one request is kept waiting, ms; asked again until the past is built. */
const WAIT_MS = 10_000
/** An engine may be set to let nobody wait, ms. */
const PAUSE_MS = 200

const building = t.type({ state: t.string, position: t.number, of: t.number })

/**
 * The answer of a route as it was at a moment, or, without one, as it is. What has to be built first is waited for, and an
 * interactive terminal is told how far it is.
 */
export async function askAt(
  terminal: Terminal,
  connection: Connection,
  address: string,
  past: Past | undefined,
): Promise<unknown> {
  const joint = address.includes('?') ? '&' : '?'
  const path = past === undefined ? address : `${address}${joint}${pastQuery(past)}&wait=${WAIT_MS}`
  for (;;) {
    const reply = await ask(connection, { path })
    if (reply.status < 200 || reply.status >= 300) throw new CommandFailed(refusalText(connection, reply))
    if (reply.status !== 202) return reply.body
    const { position, of } = decodeAnswer(building, reply.body)
    const share = of === 0 ? 0 : Math.min(99, Math.floor((100 * position) / of))
    if (terminal.interactive) terminal.err(`that moment is being built: ${share} %`)
    await sleep(PAUSE_MS)
  }
}
