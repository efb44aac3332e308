import type { Finding } from '../doctor/finding.ts'
import type { Terminal } from './command.ts'

export function worst(checks: readonly Finding[]): Finding['status'] {
  const found = new Set(checks.map(({ status }) => status))
  if (found.has('fail')) return 'fail'
  return found.has('warn') ? 'warn' : 'ok'
}

export function printFindings({ out, style }: Terminal, checks: readonly Finding[]): void {
  const width = Math.max(...checks.map(({ check }) => check.length))
  for (const { status, check, message, advice } of checks) {
    const shown = status === 'ok' ? style.dim('ok  ') : style.warn(status)
    out(`${shown}  ${style.bold(check.padEnd(width))}  ${message}`)
    if (advice !== undefined) out(`${' '.repeat(6 + width + 2)}→ ${advice}`)
  }
  const count = (wanted: Finding['status']) => checks.filter(({ status }) => status === wanted).length
  out(`${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed`)
}
