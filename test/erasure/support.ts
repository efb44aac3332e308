import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { type Engine, openEngine } from '../../api/engine.ts'
import type { Erasure } from '../../api/erasure/erasures.ts'
import { type Clock, systemClock } from '../../engine/clock.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import './compiled-modules.ts'

/** Whole engines on directories of their own, as the process runs them, without network sides. */

export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'headwater-erasure-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

type Options = Parameters<typeof openEngine>[0]

export interface Opened {
  readonly engine: Engine
  readonly notices: readonly string[]
}

export function optionsAt(directory: string, change: Partial<Options> = {}): Options {
  return {
    directory,
    workspace: 'default',
    masterKey: undefined,
    clock: systemClock,
    maxDepth: 64,
    eventLimitBytes: 1024 * 1024,
    queueEvents: 20_000,
    queueBytes: 64 * 1024 * 1024,
    logCompression: 'off',
    onResult: () => undefined,
    onProgress: () => undefined,
    onNotice: () => undefined,
    ...change,
  }
}

export async function openAt(directory: string, change: Partial<Options> = {}): Promise<Opened> {
  const notices: string[] = []
  const onNotice: Options['onNotice'] = (level, message) => notices.push(`${level} ${message}`)
  const opened = await openEngine(optionsAt(directory, { onNotice, ...change }))
  if (E.isLeft(opened)) throw new Error(opened.left)
  return { engine: opened.right, notices }
}

export async function send(engine: Engine, ...values: readonly unknown[]): Promise<readonly IntakeResult[]> {
  return engine.intake.submit(
    values.map((value) => ({ value })),
    { defaultSource: 'web' },
  )
}

/** The read models hold everything that the log holds now. */
export async function caughtUp({ log, store }: Engine): Promise<void> {
  if (!(await store.waitFor(log.head().position, 90_000))) throw new Error('the projector is behind')
}

export async function rowsOf(engine: Engine): Promise<Record<string, readonly StoredRow[]>> {
  await caughtUp(engine)
  const all: Record<string, readonly StoredRow[]> = {}
  for (const { name } of projections) {
    const { value } = await engine.store.list({ projection: name, limit: 10_000 })
    all[name] = value.rows
  }
  return all
}

/** Asks for it at once and waits until it is done. */
export async function eraseNow(engine: Engine, identity: string, reason?: string): Promise<Erasure> {
  const asked = await engine.erasures.request({ identity, waitMs: 0, reason })
  if (E.isLeft(asked)) throw new Error(asked.left._tag)
  return done(engine, asked.right.number)
}

export async function done({ erasures }: Engine, number: string): Promise<Erasure> {
  const until = systemClock.monotonicMs() + 90_000
  for (;;) {
    const erasure = erasures.list().find((each) => each.number === number)
    if (erasure?.state === 'done') return erasure
    if (systemClock.monotonicMs() > until)
      throw new Error(`erasure ${number} is ${erasure?.state}: ${erasure?.heldUp}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Path and content of every file; what is gone when it is looked at isn't there. */
export function* filesUnder(directory: string): Generator<readonly [path: string, bytes: Buffer]> {
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name)
    try {
      if (statSync(path).isFile()) yield [name, withoutPadding(readFileSync(path))]
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
}

/** Every form in which a value may stand in a file. */
function forms(value: string): readonly Buffer[] {
  const spelt = [value, value.normalize('NFKD'), value.normalize('NFC')]
  const plain = [...spelt, value.normalize('NFKD').replaceAll(/\p{M}/gu, '')]
  const cases = new Set(plain.flatMap((text) => [text, text.toLowerCase(), text.toUpperCase()]))
  return [...cases].flatMap((text) => {
    const utf8 = Buffer.from(text)
    // In the midst of others base64 begins at any of three offsets; its middle is always the same.
    const base64 = [0, 1, 2].map((offset) => {
      const encoded = Buffer.from('x'.repeat(offset) + text).toString('base64')
      return Buffer.from(encoded.slice(offset === 0 ? 0 : 4, -4))
    })
    return [
      utf8,
      Buffer.from(text, 'utf16le'),
      Buffer.from(text, 'utf16le').swap16(),
      Buffer.from(utf8.toString('hex')),
      Buffer.from(utf8.toString('hex').toUpperCase()),
      Buffer.from(encodeURIComponent(text)),
      ...base64.filter(({ length }) => length >= 8),
    ]
  })
}

/** Segments of the log grow by megabytes of zeros. */
function withoutPadding(bytes: Buffer): Buffer {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  // UTF-16 ends in a zero itself.
  return bytes.subarray(0, end + 4)
}

/** Which of the values stand in which files. */
export function found(directory: string, values: readonly string[]): readonly string[] {
  return Array.from(filesUnder(directory)).flatMap(([name, bytes]) =>
    values
      .filter((value) => forms(value).some((form) => bytes.includes(form)))
      .map((value) => `${name}: ${value}`),
  )
}

export function advancing(clock: Clock, aheadMs: () => number): Clock {
  return { nowMs: () => clock.nowMs() + aheadMs(), monotonicMs: () => clock.monotonicMs() + aheadMs() }
}
