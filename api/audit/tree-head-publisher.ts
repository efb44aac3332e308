import { setTimeout as sleep } from 'node:timers/promises'
import type { SignedTreeHead } from '../../engine/audit/audit.ts'
import { connectionProblem } from '../import/http-sender.ts'

/** Where tree heads go to be kept elsewhere. Rejects when it didn't get there. */
export type SendNote = (note: string, signal: AbortSignal) => Promise<void>

export interface Outlet {
  /** Name for the operator's log; never an address. */
  readonly name: string
  readonly send: SendNote
}

export interface TreeHeadPublisher {
  /** Never waits and never throws: of the heads that couldn't be sent yet, the newest is kept. */
  publish(head: SignedTreeHead): void
  stop(): Promise<void>
}

interface PublisherOptions {
  readonly outlets: readonly Outlet[]
  readonly onNotice: (level: 'info' | 'warn', message: string) => void
  /** First wait after a failure (ms), doubled after each further one up to a minute. */
  readonly retryMs?: number | undefined
}

const RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000

/** What is waited after so many failures in a row. */
export function retryAfterMs(failures: number, firstMs: number): number {
  return Math.min(firstMs * 2 ** (failures - 1), LONGEST_RETRY_MS)
}

/** Sends tree heads to every outlet, one after the other. */
export function createTreeHeadPublisher({
  outlets,
  onNotice,
  retryMs = RETRY_MS,
}: PublisherOptions): TreeHeadPublisher {
  const stopping = new AbortController()
  const channels = outlets.map((outlet) => newestWins(outlet, { onNotice, retryMs, signal: stopping.signal }))
  return {
    publish(head) {
      if (!stopping.signal.aborted) for (const { offer } of channels) offer(head.note)
    },
    async stop() {
      stopping.abort()
      await Promise.all(channels.map(({ idle }) => idle()))
    },
  }
}

function newestWins(
  { name, send }: Outlet,
  {
    onNotice,
    retryMs,
    signal,
  }: { onNotice: PublisherOptions['onNotice']; retryMs: number; signal: AbortSignal },
) {
  let waiting: string | undefined
  let sending: Promise<void> | undefined
  let failures = 0
  const attempt = async (note: string): Promise<void> => {
    try {
      await send(note, signal)
      if (failures > 0) onNotice('info', `tree heads reach ${name} again`)
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      if (failures === 1)
        onNotice('warn', `a tree head didn't reach ${name}, it is tried again: ${connectionProblem(error)}`)
      waiting ??= note
      await sleep(retryAfterMs(failures, retryMs), undefined, { signal }).catch(() => undefined)
    }
  }
  const run = async (): Promise<void> => {
    while (waiting !== undefined && !signal.aborted) {
      const note = waiting
      waiting = undefined
      await attempt(note)
    }
    sending = undefined
  }
  return {
    offer(note: string): void {
      waiting = note
      sending ??= run()
    },
    idle: async () => sending,
  }
}

const WEBHOOK_TIMEOUT_MS = 10_000

/** POSTs the signed note as it is. Only 2xx is success; no redirect is followed. */
export function webhookOutlet(url: string): Outlet {
  return {
    name: 'the webhook',
    async send(note, signal) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body: note,
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(WEBHOOK_TIMEOUT_MS)]),
      })
      await response.body?.cancel()
      if (!response.ok) throw new Error(`HTTP ${response.status}`)
    },
  }
}

/** NATS subject that a workspace's tree heads are published on. */
export function treeHeadSubject(workspace: string): string {
  return `headwater.${workspace}.tree-heads`
}
