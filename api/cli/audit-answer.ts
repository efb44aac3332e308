import { readFileSync, writeFileSync } from 'node:fs'
import * as t from 'io-ts'
import { connectionProblem } from '../import/http-sender.ts'
import { CommandFailed, type Terminal, UsageError } from './command.ts'
import { findConnection } from './connection.ts'

const ASK_WITHIN_MS = 30_000

const problem = t.intersection([
  t.type({ title: t.string, detail: t.string }),
  t.partial({ errors: t.array(t.type({ message: t.string })) }),
])

/** The text that a running engine answers at one of its audit routes; throws `CommandFailed` with what it says else. */
export async function askAudit(terminal: Terminal, path: string): Promise<string> {
  const { url, readToken } = await findConnection(terminal)
  const headers: Record<string, string> =
    readToken === undefined ? {} : { authorization: `Bearer ${readToken}` }
  let response: Response
  let text: string
  try {
    const signal = AbortSignal.timeout(ASK_WITHIN_MS)
    response = await fetch(`${url}${path}`, { headers, signal, redirect: 'error' })
    text = await response.text()
  } catch (error) {
    throw new CommandFailed(`${url} can't be reached (${connectionProblem(error)}): is the engine running?`)
  }
  if (response.ok) return text
  throw new CommandFailed(`${url} says: ${said(text) ?? `HTTP ${response.status}`}`)
}

function said(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text)
    if (!problem.is(body)) return undefined
    return body.errors?.map(({ message }) => message).join('; ') || body.detail
  } catch {
    return undefined
  }
}

export function readInput(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`${path} can't be read (${connectionProblem(error)})`)
  }
}

/** `text` ends in a newline. */
export function writeOut(terminal: Terminal, path: string | undefined, text: string): void {
  if (path === undefined) {
    terminal.out(text.replace(/\n$/, ''))
    return
  }
  try {
    writeFileSync(path, text)
  } catch (error) {
    throw new CommandFailed(`${path} can't be written (${connectionProblem(error)})`)
  }
  terminal.err(`written to ${path}`)
}
