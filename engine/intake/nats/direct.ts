import type { Msg, NatsConnection, Subscription } from 'nats'
import { Inbox } from './inbox.ts'
import { DRAIN_MS, leave, within } from './leaving.ts'
import { incomingOfMessage } from './message.ts'
import type { NatsIntake, NatsOptions } from './options.ts'
import { encodeAck, pubAck } from './pub-ack.ts'
import { sourceOf, subjectsOf, subjectsOverlap } from './subjects.ts'

/** A stream captures the direct subject: its acknowledgement would win the race against ours, and be false. */
export class StreamCaptures extends Error {
  constructor(stream: string, subject: string) {
    super(
      `the JetStream stream ${stream} captures ${subject}, so its acknowledgement would reach senders before an event ` +
        'is in the log; set NATS_INTAKE=jetstream to consume that stream, or take the subject out of it',
    )
    this.name = 'StreamCaptures'
  }
}

/** The stream may be created while we run; how often that is looked for. */
const CAPTURE_CHECK_MS = 10_000

/** Answers publishes itself. Rejects with `StreamCaptures`. */
export async function serveDirect(connection: NatsConnection, options: NatsOptions): Promise<NatsIntake> {
  const subject = subjectsOf(options.workspace)
  await refuseCapture(connection, subject)
  const { subscription, answered } = answerAll(connection, subject, options)
  const check = setInterval(() => {
    refuseCapture(connection, subject).catch((error: unknown) => {
      if (!(error instanceof StreamCaptures)) return
      // Better to answer nobody than to leave senders with a false acknowledgement.
      options.onStatus(error.message)
      subscription.unsubscribe()
    })
  }, CAPTURE_CHECK_MS)
  check.unref()
  await connection.flush()
  return {
    connection,
    async stop() {
      clearInterval(check)
      await within(DRAIN_MS, subscription.isClosed() ? Promise.resolve() : subscription.drain())
      await within(DRAIN_MS, answered())
      await leave(connection)
    },
  }
}

async function refuseCapture(connection: NatsConnection, subject: string): Promise<void> {
  if (connection.info?.jetstream !== true) return
  const manager = await connection.jetstreamManager()
  for await (const stream of manager.streams.list()) {
    const captured = stream.config.subjects?.some((pattern) => subjectsOverlap(pattern, subject)) ?? false
    if (captured) throw new StreamCaptures(stream.config.name, subject)
  }
}

/**
 * Submits messages in order of arrival and answers each when it is durable, in whatever order that comes about.
 * `answered` resolves when none is under way.
 */
function answerAll(
  connection: NatsConnection,
  subject: string,
  options: NatsOptions,
): { readonly subscription: Subscription; readonly answered: () => Promise<void> } {
  let underWay = 0
  let idle: (() => void) | undefined
  const done = (): void => {
    underWay -= 1
    if (underWay === 0) idle?.()
  }
  const inbox = new Inbox((message: Msg) => void answer(message, options).then(done), options.clock)
  const subscription = connection.subscribe(subject, {
    // An error ends the subscription; what it means for the connection is told as its status.
    callback(error, message) {
      if (error !== null) return
      underWay += 1
      inbox.add(message, sizeOf(message))
    },
  })
  const answered = (): Promise<void> =>
    underWay === 0
      ? Promise.resolve()
      : new Promise((resolve) => {
          idle = resolve
        })
  return { subscription, answered }
}

/** About what it takes in memory, bytes. */
function sizeOf({ data, headers }: Msg): number {
  let sizeBytes = data.length
  for (const name of headers?.keys() ?? [])
    for (const value of headers?.values(name) ?? []) sizeBytes += name.length + value.length
  return sizeBytes
}

/** Never rejects: what goes wrong with one message must not end the answering of all. */
async function answer(message: Msg, options: NatsOptions): Promise<void> {
  try {
    const batch = incomingOfMessage(message.data, message.headers, 'heeded')
    const context = { defaultSource: sourceOf(message.subject, options.workspace) }
    const results = await options.intake.submit(batch, context)
    if (message.reply) message.respond(encodeAck(pubAck(options.workspace, results)))
  } catch (error) {
    options.onStatus(`intake failed: ${error instanceof Error ? error.name : 'unknown error'}`)
  }
}
