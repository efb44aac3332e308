import { type Command, readArguments, UsageError } from './command.ts'

export const start: Command = {
  help: `Usage: headwater start

Runs the engine until SIGINT or SIGTERM: the log and the read models under HEADWATER_DATA (default ./data), HTTP on
127.0.0.1:7070, NATS at NATS_URL or by a nats-server of its own. Everything is set by environment variables; the
README lists them.

Exit codes: 0 stopped cleanly · 1 could not start · 2 wrong command line`,
  run: async (args) => {
    const { positionals } = readArguments(args, {})
    if (positionals.length > 0) throw new UsageError('start takes no arguments')
    // Loaded here, because the other commands don't need an engine.
    const main = await import('../main.ts')
    await main.start()
    return process.exitCode === 1 ? 1 : 0
  },
}
