import { connect } from 'nats'
import { subjectsOf, subjectsOverlap } from './subjects.ts'

/** What a server says of itself, for who checks an installation. */
export interface ServerReport {
  readonly version: string
  readonly jetstream: boolean
  /** Streams that capture the workspace's subject: in direct mode their acknowledgements would be false. */
  readonly capturing: readonly string[]
}

/** Asks a server without taking part in anything; rejects when it can't be reached or doesn't let us in. */
export async function examineServer(
  url: string,
  workspace: string,
  timeoutMs: number,
): Promise<ServerReport> {
  const options = { servers: url, name: 'headwater doctor', timeout: timeoutMs, reconnect: false }
  const connection = await connect(options)
  try {
    const { version = 'unknown', jetstream = false } = connection.info ?? {}
    const capturing: string[] = []
    if (jetstream) {
      const manager = await connection.jetstreamManager({ timeout: timeoutMs })
      for await (const { config } of manager.streams.list()) {
        const subject = subjectsOf(workspace)
        if (config.subjects?.some((pattern) => subjectsOverlap(pattern, subject))) capturing.push(config.name)
      }
    }
    return { version, jetstream, capturing }
  } finally {
    await connection.close()
  }
}
