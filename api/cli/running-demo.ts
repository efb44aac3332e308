import { lstat, readFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import * as t from 'io-ts'

const pointer = t.type({ url: t.string, directory: t.string, pid: t.Int })

/** Where a demo's engine is, and the data directory that holds its credentials. */
type RunningDemo = Pick<t.TypeOf<typeof pointer>, 'url' | 'directory'>

/**
 * The demo that this user has running (`bench/demo/pointer.ts` writes it down), undefined if there is none. Somebody
 * else's file, or one that others may write or read, is not believed: it would send our questions anywhere.
 */
export async function findRunningDemo(): Promise<RunningDemo | undefined> {
  const path = join(tmpdir(), `headwater-demo-of-${userInfo().uid}.json`)
  try {
    const { mode, uid } = await lstat(path)
    const regular = (mode & 0o170000) === 0o100000
    if (!regular || (mode & 0o077) !== 0 || uid !== userInfo().uid) return undefined
    const decoded = pointer.decode(JSON.parse(await readFile(path, 'utf8')))
    if (decoded._tag === 'Left' || !isAlive(decoded.right.pid)) return undefined
    return decoded.right
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch {
    return false
  }
}
