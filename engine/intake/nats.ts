import type { ConsumerMessages, JsMsg, Msg, MsgHdrs, NatsConnection, Subscription } from 'nats'
import { AckPolicy, connect, createInbox, headers as natsHeaders, StorageType } from 'nats'
import type { Expected } from '../log/log.ts'
import { readBinaryEvent } from './binary-event.ts'
import { incomingOf } from './parse.ts'
import type { Incoming, Intake, IntakeResult, Refusal } from './result.ts'

/** `direct`: the intake answers publishes itself. `jetstream`: it consumes a stream that captured them. */
export type NatsMode = 'direct' | 'jetstream'

export interface NatsOptions {
  readonly url: string
  readonly workspace: string
  readonly mode: NatsMode
  readonly intake: Intake
  /** What happens to the connection, for the operator's log. */
  readonly onStatus: (status: string) => void
}

export interface NatsIntake {
  readonly connection: NatsConnection
  /** Takes no new messages, answers those under way, closes. */
  stop(): Promise<void>
}

/**
 * Publishes a text on a connection that is there already; resolves when the server has it. While the server is away it
 * waits, so the caller keeps few of them under way.
 */
export async function publishText({ connection }: NatsIntake, subject: string, text: string): Promise<void> {
  connection.publish(subject, new TextEncoder().encode(text))
  await connection.flush()
}

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
/** Messages of a stream that may be under way, each acknowledged on its own. */
const MAX_UNACKNOWLEDGED = 10_000

export async function openNatsIntake(options: NatsOptions): Promise<NatsIntake> {
  const connection = await connect({
    servers: options.url,
    name: 'headwater',
    maxReconnectAttempts: -1,
    waitOnFirstConnect: false,
  })
  void reportStatus(connection, options.onStatus)
  try {
    return options.mode === 'direct'
      ? await serveDirect(connection, options)
      : await consumeStream(connection, options)
  } catch (error) {
    await connection.close()
    throw error
  }
}

async function reportStatus(connection: NatsConnection, onStatus: (status: string) => void): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type !== 'pingTimer') onStatus(String(status.type))
  }
}

/** `events.<workspace>.<source>`; the source may have several tokens. */
function subjectsOf(workspace: string): string {
  return `events.${workspace}.>`
}

function sourceOf(subject: string, workspace: string): string {
  return subject.slice(`events.${workspace}.`.length)
}

async function serveDirect(connection: NatsConnection, options: NatsOptions): Promise<NatsIntake> {
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

/** A server that is away must not keep us from stopping: what it still had to hear, its clients will ask again. */
const DRAIN_MS = 5_000

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work.catch(() => undefined), timeout])
  clearTimeout(timer)
}

/** Sends what is written and closes; a connection that is away would go on reconnecting for ever. */
async function leave(connection: NatsConnection): Promise<void> {
  await within(DRAIN_MS, connection.drain())
  await connection.close()
}

async function refuseCapture(connection: NatsConnection, subject: string): Promise<void> {
  if (connection.info?.jetstream !== true) return
  const manager = await connection.jetstreamManager()
  for await (const stream of manager.streams.list()) {
    const captured = stream.config.subjects?.some((pattern) => subjectsOverlap(pattern, subject)) ?? false
    if (captured) throw new StreamCaptures(stream.config.name, subject)
  }
}

/** Whether some subject matches both patterns (`*` one token, `>` one or more at the end). */
export function subjectsOverlap(a: string, b: string): boolean {
  const [left, right] = [a.split('.'), b.split('.')]
  for (let at = 0; ; at++) {
    const [l, r] = [left[at], right[at]]
    if (l === undefined || r === undefined) return l === r
    if (l === '>' || r === '>') return true
    if (l !== '*' && r !== '*' && l !== r) return false
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
  const subscription = connection.subscribe(subject, {
    // An error ends the subscription; what it means for the connection is told as its status.
    callback(error, message) {
      if (error !== null) return
      underWay += 1
      void answer(message, options).then(done)
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

/** An answer that the server would refuse for its size does without the results: it says as much as a PubAck must. */
const MAX_ACK_BYTES = 512 * 1024

function encodeAck(ack: PubAck): string {
  const whole = JSON.stringify(ack)
  if (whole.length <= MAX_ACK_BYTES) return whole
  const { results: _left, ...short } = ack
  return JSON.stringify(short)
}

async function consumeStream(connection: NatsConnection, options: NatsOptions): Promise<NatsIntake> {
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
  for await (const message of messages) {
    const taken = take(message, options)
    underWay.add(taken)
    void taken.finally(() => underWay.delete(taken))
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

function incomingOfMessage(
  data: Uint8Array,
  headers: MsgHdrs | undefined,
  expectation: 'heeded' | 'ignored',
): readonly Incoming[] {
  const id = headers?.get('Nats-Msg-Id') || undefined
  const stated = headers?.get('Nats-Expected-Last-Subject-Sequence') || undefined
  const batch = headers?.has('ce-specversion') ? [binaryCloudEvent(data, headers)] : incomingOf(data, id)
  if (stated === undefined || expectation === 'ignored') return batch
  if (!/^\d{1,16}$/.test(stated) || !Number.isSafeInteger(Number(stated))) {
    return [
      {
        unparsable: data,
        reason: 'invalid_envelope',
        message: 'Nats-Expected-Last-Subject-Sequence is no position',
      },
    ]
  }
  const expected: Expected = { position: Number(stated) }
  return batch.map((incoming) => ('value' in incoming ? { ...incoming, expected } : incoming))
}

/** CloudEvents over NATS 1.0.3, binary mode: attributes in `ce-*` headers, percent-encoded; the payload is `data`. */
function binaryCloudEvent(body: Uint8Array, headers: MsgHdrs): Incoming {
  const named = headers.keys().map((name) => [name.toLowerCase(), headers.get(name)] as const)
  const contentType = named.find(([name]) => name === 'content-type')?.[1]
  return readBinaryEvent({ headers: named, decode: percentDecoded, contentType, body })
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The answer that every JetStream publisher understands; `results` stands beside it for those who look. */
export type PubAck =
  | {
      readonly stream: string
      readonly seq: number
      readonly duplicate?: true
      readonly results: readonly IntakeResult[]
    }
  | {
      readonly error: { readonly code: number; readonly err_code: number; readonly description: string }
      readonly results: readonly IntakeResult[]
    }

export function pubAck(workspace: string, results: readonly IntakeResult[]): PubAck {
  let seq = 0
  let duplicates = 0
  for (const result of results) {
    if (result.status === 'refused') return { error: pubError(result.refusal), results }
    seq = Math.max(seq, result.position)
    if (result.status === 'duplicate') duplicates += 1
  }
  const ack = { stream: `headwater_${workspace}`, seq, results }
  return duplicates === results.length && duplicates > 0 ? { ...ack, duplicate: true } : ack
}

/** Codes of nats-server's own JetStream API: 10071 wrong last sequence, 10023 insufficient resources. */
function pubError(refusal: Refusal): { code: number; err_code: number; description: string } {
  switch (refusal.code) {
    case 'wrong_expected':
      return { code: 400, err_code: 10071, description: `wrong last sequence: ${refusal.actualPosition}` }
    case 'overloaded':
    case 'clock_jumped':
    case 'read_only':
    case 'stopped':
    case 'log_damaged':
      return { code: 503, err_code: 10023, description: refusal.message }
    case 'forbidden':
      return { code: 403, err_code: 0, description: refusal.message }
  }
}

export interface Publisher {
  /** Publishes and awaits the answer; rejects when the answer is an error or doesn't come. */
  publish(
    subject: string,
    payload: Uint8Array,
    options?: { readonly msgId?: string | undefined },
  ): Promise<PubAck>
  /**
   * For thousands under way at once: neither a promise nor a timer each. `onAnswer` gets the answer's bytes as they came;
   * an answer that never comes is never told. `payload` must not change until then.
   */
  post(subject: string, payload: Uint8Array, onAnswer: (answer: Uint8Array) => void): void
  close(): Promise<void>
}

/** A connection that sends events, as `headwater import --nats` uses it. */
export async function openPublisher(url: string, timeoutMs = 30_000): Promise<Publisher> {
  const connection = await connect({ servers: url, name: 'headwater import', maxReconnectAttempts: -1 })
  return {
    async publish(subject, payload, options) {
      const headers = natsHeaders()
      if (options?.msgId !== undefined) headers.set('Nats-Msg-Id', options.msgId)
      const reply = await connection.request(subject, payload, { timeout: timeoutMs, headers })
      return reply.json<PubAck>()
    },
    post: postingOn(connection),
    close: () => leave(connection),
  }
}

/** One inbox for all answers, told apart by the last token of their subject. Subscribed when first needed. */
function postingOn(connection: NatsConnection): Publisher['post'] {
  const awaited = new Map<string, (answer: Uint8Array) => void>()
  let inbox: string | undefined
  let posted = 0
  const listen = (): string => {
    const prefix = `${createInbox()}.`
    connection.subscribe(`${prefix}*`, {
      callback: (error, message) => {
        if (error !== null) return
        const token = message.subject.slice(prefix.length)
        awaited.get(token)?.(message.data)
        awaited.delete(token)
      },
    })
    return prefix
  }
  return (subject, payload, onAnswer) => {
    inbox ??= listen()
    const token = (posted++).toString(36)
    awaited.set(token, onAnswer)
    connection.publish(subject, payload, { reply: inbox + token })
  }
}

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
