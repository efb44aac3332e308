import { setImmediate } from 'node:timers/promises'
import type { ConsumerMessages, JsMsg, NatsConnection } from 'nats'
import { AckPolicy, StorageType } from 'nats'
import type { Incoming, IntakeResult } from '../result.ts'
import { SLICE_MS } from './inbox.ts'
import { DRAIN_MS, leave, within } from './leaving.ts'
import { incomingOfMessage } from './message.ts'
import type { NatsIntake, NatsOptions } from './options.ts'
import { sourceOf, subjectsOf, subjectsOverlap } from './subjects.ts'

/** Messages of a stream that may be under way, each acknowledged on its own. */
const MAX_UNACKNOWLEDGED = 10_000

/** Consumes the streams that captured publishes, which have answered their senders. */
export async function consumeStream(connection: NatsConnection, options: NatsOptions): Promise<NatsIntake> {
  const subject = subjectsOf(options.workspace)
  const streams = await capturingStreams(connection, subject, options.workspace)
  const consumed = await Promise.all(streams.map((stream) => consume(connection, stream, subject, options)))
  let stopping = false
  const consuming = consumed.map(async ({ stream, messages }) => {
    await takeAll(messages, options)
    if (!stopping)
      options.onStatus(`the consumer of the stream ${stream} has ended: its events wait for a restart`)
  })
  return {
    connection,
    async stop() {
      stopping = true
      await within(DRAIN_MS, Promise.all(consumed.map(({ messages }) => messages.close())))
      await within(DRAIN_MS, Promise.all(consuming))
      await leave(connection)
    },
  }
}

async function consume(connection: NatsConnection, stream: string, subject: string, options: NatsOptions) {
  const manager = await connection.jetstreamManager()
  const durable = `headwater_${options.workspace}`
  await manager.consumers.add(stream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    filter_subject: subject,
    max_ack_pending: MAX_UNACKNOWLEDGED,
  })
  const consumer = await connection.jetstream().consumers.get(stream, durable)
  return { stream, messages: await consumer.consume({ max_messages: 1_000 }) }
}

/** The streams that capture our subject; one is made where there is none, so that senders can publish while we are down. */
async function capturingStreams(
  connection: NatsConnection,
  subject: string,
  workspace: string,
): Promise<readonly string[]> {
  const manager = await connection.jetstreamManager()
  const found: string[] = []
  for await (const { config } of manager.streams.list()) {
    if (config.subjects?.some((pattern) => subjectsOverlap(pattern, subject))) found.push(config.name)
  }
  if (found.length > 0) return found
  const name = `HEADWATER_${workspace.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`
  await manager.streams.add({ name, subjects: [subject], storage: StorageType.File })
  return [name]
}

async function takeAll(messages: ConsumerMessages, options: NatsOptions): Promise<void> {
  const underWay = new Set<Promise<void>>()
  let sliceMs = options.clock.monotonicMs()
  for await (const message of messages) {
    const taken = take(message, options)
    underWay.add(taken)
    void taken.finally(() => underWay.delete(taken))
    if (options.clock.monotonicMs() - sliceMs < SLICE_MS) continue
    // Messages that are there already come without a turn of the event loop between them.
    await setImmediate()
    sliceMs = options.clock.monotonicMs()
  }
  await Promise.all(underWay)
}

/** Acknowledges after our append; what can't be taken now comes again. Never rejects. */
async function take(message: JsMsg, options: NatsOptions): Promise<void> {
  try {
    // The stream has checked its own sequence by that header already; our positions are others.
    const batch = incomingOfMessage(message.data, message.headers, 'ignored')
    const context = { defaultSource: sourceOf(message.subject, options.workspace) }
    const results = await options.intake.submit(batch, context)
    const left = unmet(batch, results)
    const kept = left.length === 0 ? [] : await options.intake.submit(left, context)
    const refused = [...results, ...kept].some((result) => result.status === 'refused' && !isUnmet(result))
    if (refused) message.nak(RETRY_DELAY_MS)
    else message.ack()
  } catch (error) {
    options.onStatus(`intake failed: ${error instanceof Error ? error.name : 'unknown error'}`)
    message.nak(RETRY_DELAY_MS)
  }
}

function isUnmet(result: IntakeResult | undefined): boolean {
  return result?.status === 'refused' && result.refusal.code === 'wrong_expected'
}

/**
 * Events whose expectation wasn't met, for quarantine: the stream has acknowledged them to their sender, who will not hear
 * of the refusal.
 */
function unmet(batch: readonly Incoming[], results: readonly IntakeResult[]): readonly Incoming[] {
  return batch.flatMap((incoming, index) =>
    isUnmet(results[index]) && 'value' in incoming
      ? [
          {
            refused: incoming.value,
            reason: 'wrong_expected',
            message: 'the stream was not where the sender expected it',
          } as const,
        ]
      : [],
  )
}

const RETRY_DELAY_MS = 1_000
