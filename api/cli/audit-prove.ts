import * as t from 'io-ts'
import { consistencyBundle } from '../../engine/audit/bundle.ts'
import {
  formatBundle,
  INCLUSION_FORMAT,
  parseBundle,
  parseTreeHead,
  splitNote,
  type TreeHead,
  VerificationFailed,
} from '../../engine/audit/verify.ts'
import { askAudit, readInput, writeOut } from './audit-answer.ts'
import { CommandFailed, type ExitCode, type Terminal, UsageError, wholeNumber } from './command.ts'

export interface ProveOptions {
  readonly position: string | undefined
  readonly from?: string | undefined
  readonly treeHead?: string | undefined
  readonly out?: string | undefined
}

export async function prove(terminal: Terminal, options: ProveOptions): Promise<ExitCode> {
  const { position, from, treeHead, out } = options
  if ((position === undefined) === (from === undefined)) {
    throw new UsageError('audit prove takes a position, or --from with the file of a tree head')
  }
  if (from !== undefined) {
    if (treeHead !== undefined) throw new UsageError('audit prove takes --from or --tree-head, not both')
    writeOut(terminal, out, await consistency(terminal, from))
    return 0
  }
  const at = wholeNumber('position', position, 1) ?? 1
  writeOut(terminal, out, await inclusion(terminal, at, treeHead))
  return 0
}

async function inclusion(terminal: Terminal, position: number, file: string | undefined): Promise<string> {
  const path = `/v1/audit/proof/${position}`
  if (file === undefined) return bundled(await askAudit(terminal, path))
  const { note, head } = readTreeHead(file)
  const bundle = parseBundle(bundled(await askAudit(terminal, `${path}?size=${head.size}`)))
  if (bundle.format !== INCLUSION_FORMAT) throw new CommandFailed('the engine answers with another proof')
  return formatBundle({ ...bundle, treeHead: note })
}

const answer = t.type({ from: t.number, to: t.number, path: t.array(t.string), treeHead: t.string })

async function consistency(terminal: Terminal, file: string): Promise<string> {
  const { note, head } = readTreeHead(file)
  const body: unknown = JSON.parse(await askAudit(terminal, `/v1/audit/consistency?from=${head.size}`))
  if (!answer.is(body))
    throw new CommandFailed("the engine's answer is not understood: are both of one version?")
  const path = body.path.map((hash) => Buffer.from(hash, 'base64'))
  return formatBundle(consistencyBundle(note, path, { note: body.treeHead }))
}

function bundled(text: string): string {
  try {
    return formatBundle(parseBundle(text))
  } catch (error) {
    if (!(error instanceof VerificationFailed)) throw error
    throw new CommandFailed("the engine's answer is not understood: are both of one version?")
  }
}

function readTreeHead(file: string): { readonly note: string; readonly head: TreeHead } {
  const note = readInput(file)
  try {
    return { note, head: parseTreeHead(splitNote(note).text) }
  } catch (error) {
    if (error instanceof VerificationFailed) throw new UsageError(`${file}: ${error.message}`)
    throw error
  }
}
