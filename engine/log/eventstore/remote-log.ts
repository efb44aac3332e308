import type { Clock } from '../../clock.ts'
import type { Log, LogReader } from '../log.ts'

export interface EventStoreLogOptions {
  /** Of the index, which can be made anew from the log. */
  readonly indexPath: string
  readonly clock: Clock
  /** Milliseconds for which the server may be away before appends fail; default a minute. */
  readonly patienceMs?: number | undefined
  /** Written into the log when it is opened; a log of another one's doesn't open. */
  readonly workspace?: string | undefined
  /** Asked before the log is taken over from whoever writes it: why not to, undefined for nothing. */
  readonly objection?: ((log: Pick<LogReader, 'head' | 'at'>) => Promise<string | undefined>) | undefined
  /** Told when appending fails because the server is away, and when it works again. */
  readonly onNotice?: ((message: string) => void) | undefined
}

/** A log whose writer is at the server's mercy. */
export interface RemoteLog extends Log {
  /**
   * `away`: the server doesn't answer, or appends fail until it has been reached again. `stopped`: only opening it again
   * helps.
   */
  state(): 'writing' | 'away' | 'stopped'
  /**
   * The log will be closed soon. What is under way is finished as long as the server answers; once it doesn't, that and all that comes
   * fails with `LogClosed`, and `onGivenUp` is told.
   */
  hurry(onGivenUp: () => void): void
  /** Times that the writer has lost touch and had to take the log up again. */
  interruptions(): number
}

export type OpenFailure =
  /** The server can't be reached, or refuses us. */
  | { readonly _tag: 'Unreachable'; readonly cause: string }
  /** A stream's metadata makes EventStoreDB forget events ($maxAge, $maxCount, $tb), which a log never may. */
  | { readonly _tag: 'Forgetful'; readonly streams: readonly string[] }
  | { readonly _tag: 'OtherWorkspace'; readonly expected: string; readonly found: string }
  /** What `objection` said. */
  | { readonly _tag: 'Objection'; readonly cause: string }
