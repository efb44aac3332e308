/** What one check came to. Nothing in it names a customer or quotes a secret. */
export interface Finding {
  /** What was looked at: one word or two, for people and programs. */
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly message: string
  /** What to do about it. */
  readonly advice?: string | undefined
}

export function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message }
}

export function warn(check: string, message: string, advice: string): Finding {
  return { check, status: 'warn', message, advice }
}

export function fail(check: string, message: string, advice: string): Finding {
  return { check, status: 'fail', message, advice }
}

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

export function shownBytes(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(1)} GiB`
  return bytes >= MIB ? `${(bytes / MIB).toFixed(0)} MiB` : `${(bytes / KIB).toFixed(0)} KiB`
}

export function shownDuration(ms: number): string {
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`
  if (ms < 10_000) return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`
}

/** `1 event`, `2 events`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
