import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/**
 * Where the command line finds a demo that runs: a file for its owner's eyes only, so that nobody has to type an
 * address. `api/cli/running-demo.ts` reads it.
 */
export function pointerPath(): string {
  return join(tmpdir(), `headwater-demo-of-${userInfo().uid}.json`)
}

interface Pointer {
  readonly url: string
  /** The engine's data directory, which holds its credentials. */
  readonly directory: string
  /** Of the demo, not of its engine: it outlives engines. */
  readonly pid: number
}

/** Replaces that of an earlier demo. False where something of somebody else's stands in its place: there is none then. */
export function writePointer(pointer: Pointer): boolean {
  const path = pointerPath()
  try {
    rmSync(path, { force: true })
    // `wx` follows no link that somebody may have put there meanwhile.
    writeFileSync(path, `${JSON.stringify(pointer)}\n`, { mode: 0o600, flag: 'wx' })
    return true
  } catch {
    return false
  }
}

/** Unless another demo has taken its place. */
export function removePointer(pid: number): void {
  const path = pointerPath()
  try {
    if (!lstatSync(path).isFile()) return
    const { pid: of } = JSON.parse(readFileSync(path, 'utf8')) as { readonly pid?: unknown }
    if (of === pid) rmSync(path, { force: true })
  } catch {
    // There is none, or it isn't ours.
  }
}
