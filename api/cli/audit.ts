import { auditDirectory } from '../../engine/audit/audit-thread.ts'
import { parseSignerKey } from '../../engine/audit/note.ts'
import { makeSigningKey, readSigningKey } from '../../engine/audit/signing-key.ts'
import { isKeyName } from '../../engine/audit/verify.ts'
import { askAudit, writeOut } from './audit-answer.ts'
import { prove } from './audit-prove.ts'
import { verify } from './audit-verify.ts'
import {
  CONNECTION_HELP,
  type Command,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { dataDirectory } from './connection.ts'

export const audit: Command = {
  help: `Usage: headwater audit head [--out <file>]
       headwater audit key [--new <name>]
       headwater audit prove <position> [--tree-head <file>] [--out <file>]
       headwater audit prove --from <tree head file> [--out <file>]
       headwater audit verify <bundle> [<bundle> ...] --key <verifier key> [--tree-head <file>]
       headwater audit verify --data <directory> [--key <verifier key>] [--tree-head <file>] [--json]

head prints the newest signed tree head. Keep it where whoever runs the engine can't change it: proofs hold against it.
key prints the key that verifies tree heads; --new makes a signing key for HEADWATER_AUDIT_KEY.
prove asks the engine for a proof: that the event at a position is in the log, or that the log of today begins with the
log of an earlier tree head, unchanged. The bundle holds all that an auditor needs but the key and a tree head.
verify checks bundles, without engine or network; with --data, it reads the whole log instead, the engine running or
not. Without a tree head from outside it tells only whether everything fits together.

${optionTable([
  ['--tree-head <file>', 'a tree head that was kept elsewhere'],
  ['--from <file>', 'the earlier tree head that the log of today is compared with'],
  ['--key <key>', 'as audit key prints it: name+01234567+A…, or a file that holds it'],
  ['--data <directory>', "the engine's data directory"],
  ['--out <file>', 'write there instead of to standard output'],
  ['--json', 'with verify --data: the whole report as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 done, verified · 1 it doesn't verify, or there is nothing to prove, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      out: { type: 'string' },
      new: { type: 'string' },
      from: { type: 'string' },
      'tree-head': { type: 'string' },
      key: { type: 'string' },
      data: { type: 'string' },
      json: { type: 'boolean' },
    })
    const [action, ...rest] = positionals
    const given = Object.keys(values)
    switch (action) {
      case 'head':
        only(action, given, ['out'], rest, 0)
        return head(terminal, values.out)
      case 'key':
        only(action, given, ['new'], rest, 0)
        return values.new === undefined ? showKey(terminal) : newKey(terminal, values.new)
      case 'prove':
        only(action, given, ['out', 'from', 'tree-head'], rest, 1)
        return prove(terminal, { ...values, treeHead: values['tree-head'], position: rest[0] })
      case 'verify':
        only(action, given, ['tree-head', 'key', 'data', 'json'], rest, Number.POSITIVE_INFINITY)
        return verify(terminal, { ...values, treeHead: values['tree-head'], bundles: rest })
      default:
        throw new UsageError('audit takes one of head, key, prove, verify')
    }
  },
}

function only(
  action: string,
  given: readonly string[],
  options: readonly string[],
  rest: readonly string[],
  most: number,
): void {
  const stray = given.find((name) => !options.includes(name))
  if (stray !== undefined) throw new UsageError(`audit ${action} doesn't take --${stray}`)
  if (rest.length > most) throw new UsageError(`audit ${action} takes no ${rest[most]}`)
}

async function head(terminal: Terminal, out: string | undefined): Promise<ExitCode> {
  writeOut(terminal, out, await askAudit(terminal, '/v1/audit/checkpoint'))
  return 0
}

/** From the data directory where it is at hand, so that it can be told without an engine. */
async function showKey(terminal: Terminal): Promise<ExitCode> {
  const handedIn = terminal.env['HEADWATER_AUDIT_KEY']
  const own = readSigningKey(auditDirectory(dataDirectory(terminal)), handedIn === '' ? undefined : handedIn)
  terminal.out(own?.verifierKey ?? (await askAudit(terminal, '/v1/audit/key')).trimEnd())
  return 0
}

function newKey(terminal: Terminal, name: string): ExitCode {
  if (!isKeyName(name))
    throw new UsageError('--new takes a name without spaces and +, such as headwater/default')
  const key = makeSigningKey(name)
  terminal.out(key)
  terminal.err(`Keep it secret. Its verifier key: ${parseSignerKey(key)?.verifierKey ?? ''}`)
  return 0
}
