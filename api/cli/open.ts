import { pageAddress } from '../page-address.ts'
import { CONNECTION_HELP, type Command, CommandFailed, readArguments, UsageError } from './command.ts'
import { ask, findConnection } from './connection.ts'

export const open: Command = {
  help: `Usage: headwater open

Prints the address of the engine's page, to be opened in a browser on this machine. It holds the read token and, where
it is known, the write key: whoever has the address can read everything.

${CONNECTION_HELP}

Exit codes: 0 printed · 1 no credentials were found, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { positionals } = readArguments(args, {})
    if (positionals.length > 0) throw new UsageError('open takes no arguments')
    const { url, readToken, writeKey } = await findConnection(terminal)
    if (readToken === undefined) {
      throw new CommandFailed(
        "no read token was found: set HEADWATER_READ_TOKEN, or HEADWATER_DATA to the engine's data directory",
      )
    }
    await ask({ url, readToken: undefined, writeKey: undefined }, { path: '/healthz' })
    terminal.out(pageAddress(url, { readToken, writeKey }))
    return 0
  },
}
