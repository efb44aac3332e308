import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as t from 'io-ts'
import { writeDurably } from './durable-files.ts'

/** Says up to where a log was restored without its keys: nothing personal before can be read, and nobody need miss it. */
export const FORGOTTEN = 'forgotten.json'

const codec = t.type({ untilPosition: t.number })

/** 0: the installation has all keys that its log was written under. */
export function forgottenUntil(data: string): number {
  const path = join(data, FORGOTTEN)
  if (!existsSync(path)) return 0
  try {
    const decoded = codec.decode(JSON.parse(readFileSync(path, 'utf8')))
    return decoded._tag === 'Right' ? decoded.right.untilPosition : 0
  } catch (error) {
    if (error instanceof SyntaxError) return 0
    throw error
  }
}

export function writeForgotten(data: string, untilPosition: number): void {
  writeDurably(join(data, FORGOTTEN), `${JSON.stringify({ untilPosition })}\n`)
}
