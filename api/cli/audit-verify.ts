import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { auditDirectory } from '../../engine/audit/audit-thread.ts'
import { type CheckReport, checkLogAgainstHeads, isSound } from '../../engine/audit/check.ts'
import { readSigningKey } from '../../engine/audit/signing-key.ts'
import {
  parseBundle,
  parseVerifierKey,
  VerificationFailed,
  type VerifierKey,
  verifyBundles,
} from '../../engine/audit/verify.ts'
import { readInput } from './audit-answer.ts'
import { type ExitCode, type Terminal, UsageError } from './command.ts'

export interface VerifyOptions {
  readonly bundles: readonly string[]
  readonly data?: string | undefined
  readonly key?: string | undefined
  readonly treeHead?: string | undefined
  readonly json?: boolean | undefined
}

const INTERNAL_ONLY =
  'Internal consistency only: nothing was compared with a tree head kept elsewhere, so a history that was replaced as a whole would look the same.'

export async function verify(terminal: Terminal, options: VerifyOptions): Promise<ExitCode> {
  const { bundles, data } = options
  if ((data === undefined) === (bundles.length === 0)) {
    throw new UsageError('audit verify takes bundles, or --data with a data directory')
  }
  try {
    return data === undefined ? verifyFiles(terminal, options) : await verifyData(terminal, data, options)
  } catch (error) {
    if (!(error instanceof VerificationFailed)) throw error
    terminal.err(`NOT VERIFIED: ${error.message}.`)
    return 1
  }
}

function statedKey(text: string): VerifierKey {
  const key = existsSync(text) ? readInput(text).trim() : text
  try {
    return parseVerifierKey(key)
  } catch (error) {
    if (error instanceof VerificationFailed) throw new UsageError(error.message)
    throw error
  }
}

function verifyFiles(terminal: Terminal, { bundles, key, treeHead, json }: VerifyOptions): ExitCode {
  if (key === undefined)
    throw new UsageError('audit verify needs --key: the verifier key, as audit key prints it')
  if (json === true) throw new UsageError('audit verify takes --json with --data only')
  const known = statedKey(key)
  const outside = treeHead === undefined ? undefined : readInput(treeHead)
  const texts = bundles.map(readInput)
  const verdict = verifyBundles(texts.map(parseBundle), known, outside)
  for (const says of verdict.bundles) terminal.out(`proven: ${says}.`)
  if (verdict.againstOutside) terminal.out(`VERIFIED against the tree head in ${treeHead}.`)
  else terminal.out(`${INTERNAL_ONLY} Signed by ${known.name}.`)
  return 0
}

async function verifyData(
  terminal: Terminal,
  data: string,
  { key, treeHead, json }: VerifyOptions,
): Promise<ExitCode> {
  const logDirectory = join(data, 'log')
  if (!existsSync(logDirectory)) throw new UsageError(`${data} holds no log`)
  const directory = auditDirectory(data)
  const handedIn = terminal.env['HEADWATER_AUDIT_KEY']
  const own = readSigningKey(directory, handedIn === '' ? undefined : handedIn)
  const stated = key === undefined ? own && parseVerifierKey(own.verifierKey) : statedKey(key)
  if (treeHead !== undefined && stated === undefined)
    throw new UsageError(`${directory} has no signing key: state the verifier key by --key`)
  const outside = treeHead === undefined ? [] : [readInput(treeHead)]
  const startMs = terminal.clock.monotonicMs()
  const report = await terminal.interruptible((signal) =>
    checkLogAgainstHeads({ logDirectory, auditDirectory: directory, outside, key: stated, signal }),
  )
  if (json === true) terminal.out(JSON.stringify(asJson(report, outside.length > 0)))
  else print(terminal, report, { treeHead, seconds: (terminal.clock.monotonicMs() - startMs) / 1000 })
  return isSound(report) ? 0 : 1
}

function print(
  terminal: Terminal,
  report: CheckReport,
  { treeHead, seconds }: { readonly treeHead: string | undefined; readonly seconds: number },
): void {
  const { events, position, heads, tiles, difference, damage } = report
  terminal.out(`read       ${events} events, up to position ${position}, in ${seconds.toFixed(1)} s`)
  for (const { from, size, problem } of heads)
    terminal.out(`tree head  of ${size} events (${from}): ${problem ?? 'right'}`)
  const spoilt = tiles.missing + tiles.damaged
  if (spoilt > 0)
    terminal.out(
      `tiles      ${tiles.missing} missing, ${tiles.damaged} differ: the engine makes them anew from the log if the tree head holds`,
    )
  if (damage !== undefined) terminal.out(`damage     ${damage.message}`)
  if (!isSound(report)) {
    if (difference !== undefined) terminal.out(`place      ${difference.message}`)
    terminal.err('NOT VERIFIED: the log is not what its tree heads say.')
  } else if (treeHead !== undefined) {
    terminal.out(`VERIFIED against the tree head in ${treeHead}.`)
  } else {
    terminal.out(heads.length === 0 ? `No tree head was signed yet. ${INTERNAL_ONLY}` : INTERNAL_ONLY)
  }
}

function asJson(report: CheckReport, againstOutside: boolean) {
  const { events, position, root, heads, tiles, difference, damage } = report
  const shown = (bytes: Uint8Array | undefined) =>
    bytes === undefined ? null : Buffer.from(bytes).toString('base64')
  return {
    verified: isSound(report),
    againstOutside,
    ...{ events, position, root: shown(root), tiles },
    heads: heads.map(({ from, size, root: signed, found, problem }) => ({
      ...{ from, size, root: shown(signed), found: shown(found), problem: problem ?? null },
    })),
    difference: difference ?? null,
    damage: damage?.message ?? null,
  }
}
