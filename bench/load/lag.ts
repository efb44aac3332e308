import type { Clock } from '../../engine/clock.ts'
import type { EventLoad } from './event-load.ts'
import type { HttpClient } from './http-client.ts'
import type { LagSample } from './protocol.ts'

export interface LagOptions {
  readonly http: HttpClient | undefined
  readonly lagEveryMs?: number | undefined
  readonly abortLagMs?: number | undefined
  readonly load: Pick<EventLoad, 'lagMs'>
  readonly clock: Clock
  readonly fromMs: number
  readonly onTooLong: () => void
}

export interface LagWatch {
  readonly samples: readonly LagSample[]
  stop(): void
}

/** Asks the engine again and again up to which position the read models hold, and what of the sent that leaves out. */
export function watchLag(options: LagOptions): LagWatch {
  const { http, lagEveryMs, load, clock, fromMs } = options
  const samples: LagSample[] = []
  if (http === undefined || lagEveryMs === undefined) return { samples, stop: () => undefined }
  let asking = false
  const timer = setInterval(() => {
    // A slow answer is told by the sample that it becomes.
    if (asking) return
    asking = true
    http.get('/readyz', (_, body) => {
      asking = false
      const projected = projectedOf(body)
      if (projected === undefined) return
      const nowMs = clock.monotonicMs()
      const lagMs = load.lagMs(projected, nowMs)
      if (lagMs > (options.abortLagMs ?? Number.POSITIVE_INFINITY)) options.onTooLong()
      if (nowMs >= fromMs) samples.push({ atMs: nowMs - fromMs, lagMs })
    })
  }, lagEveryMs)
  return { samples, stop: () => clearInterval(timer) }
}

function projectedOf(body: Buffer): number | undefined {
  try {
    const { projected } = JSON.parse(body.toString()) as { readonly projected?: unknown }
    return typeof projected === 'number' ? projected : undefined
  } catch {
    return undefined
  }
}
