import type { NatsConnection } from 'nats'
import type { Clock } from '../../clock.ts'
import type { Intake } from '../result.ts'

/** `direct`: the intake answers publishes itself. `jetstream`: it consumes a stream that captured them. */
export type NatsMode = 'direct' | 'jetstream'

export interface NatsOptions {
  readonly url: string
  readonly workspace: string
  readonly mode: NatsMode
  readonly intake: Intake
  readonly clock: Clock
  /** What happens to the connection, for the operator's log. */
  readonly onStatus: (status: string) => void
}

export interface NatsIntake {
  readonly connection: NatsConnection
  /** Takes no new messages, answers those under way, closes. */
  stop(): Promise<void>
}
