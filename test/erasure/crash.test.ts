/**
 * Theorem: a process that is killed after any step of an erasure leaves nobody half forgotten: the next start completes it
 * before anything is served, however often that is cut off itself, and it comes to what an undisturbed one comes to.
 * The grep that shows it knows a value in every form in which a file may hold it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ERASURE_STEPS, type ErasureStep } from '../../api/erasure/steps.ts'
import { found, openAt, rowsOf, send, temporaryDirectory } from './support.ts'

const EMAIL = 'zephyrine.quandary@mail.example'
const NAME = 'Zéphyrine Quandáry'
const PHONE = '+442079460987'
const VALUES = [EMAIL, NAME, PHONE]
const base = { source: 'web', type: 'cdp.identify' }

let directory: ReturnType<typeof temporaryDirectory>
beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(() => directory.remove())

/** Answers the identity to be erased, and every row there was. */
async function live(path: string) {
  const { engine } = await openAt(path)
  const traits = { email: EMAIL, name: NAME, phone: PHONE }
  const total = { total: '9.99', currency: 'EUR', email: EMAIL, products: [] }
  await send(
    engine,
    { ...base, id: '1', data: { userId: 'zq-4815', traits } },
    { ...base, id: '2', type: 'Order Completed', data: { order_id: 'O-1', ...total } },
    { ...base, id: '3', data: { userId: 'bob', traits: { email: 'bob@elsewhere.example' } } },
    { ...base, id: 'q', time: 'never', data: { traits } },
  )
  const rows = await rowsOf(engine)
  const id = engine.keyStore.find('email', EMAIL) ?? ''
  await engine.stop()
  return { id, rows }
}

async function killedAfter(path: string, step: ErasureStep, identity?: string): Promise<void> {
  const script = join(import.meta.dirname, 'crash-child.ts')
  const args = [script, path, step, ...(identity === undefined ? [] : [identity])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const [code, signal]: unknown[] = await once(child, 'exit')
  expect({ code, signal, said }).toEqual({ code: null, signal: 'SIGKILL', said: '' })
}

async function expectForgotten(path: string, before: Awaited<ReturnType<typeof live>>): Promise<void> {
  const { engine } = await openAt(path)
  try {
    // At once: nothing was served before.
    const [erasure, ...others] = engine.erasures.list()
    expect(others).toEqual([])
    expect(erasure?.state).toBe('done')
    expect(found(path, VALUES)).toEqual([])
    expect(engine.keyStore.reveal(before.id)).toBeUndefined()
    expect(engine.keyStore.suppressed({ namespace: 'email', value: EMAIL })).toBe(true)
    const findings = await engine.erasures.verify(erasure?.certificate ?? expect.fail('no certificate'))
    expect(findings.filter(({ ok }) => !ok)).toEqual([])
    expect(erasure?.certificate?.positions).toHaveLength(1)
    expect(erasure?.certificate?.destroyed.mappings).toBe(3)
    expect(erasure?.certificate?.destroyed.keys).toBe(2)
    const rows = await rowsOf(engine)
    for (const name of ['revenue', 'active_people', 'customer_orders'])
      expect(rows[name]).toEqual(before.rows[name])
    expect(rows['profile']).toHaveLength(2)
    expect(JSON.stringify(rows['profile'])).toContain('bob@elsewhere.example')
  } finally {
    await engine.stop()
  }
}

/** Each kill costs a process. */
const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const STEPS: readonly ErasureStep[] = LONG ? ERASURE_STEPS : ['recorded', 'destroyed']

test('killed after several steps, one after the other, each time while completing the last', {
  timeout: 180_000,
}, async () => {
  const before = await live(directory.path)
  expect(found(directory.path, VALUES)).not.toEqual([])
  for (const [at, step] of STEPS.entries())
    await killedAfter(directory.path, step, at === 0 ? before.id : undefined)
  await expectForgotten(directory.path, before)
})

test.skipIf(!LONG).each(ERASURE_STEPS)(
  'killed once, after the step %s',
  { timeout: 180_000 },
  async (step) => {
    const before = await live(directory.path)
    await killedAfter(directory.path, step, before.id)
    await expectForgotten(directory.path, before)
  },
)

test.each(['zephyrine.quandary@mail.example', '+442079460987', 'Zéphyrine Quandáry'])(
  'the grep knows every form of %s',
  (value) => {
    const bytes = Buffer.from(value)
    const stripped = value.normalize('NFD').replaceAll(/\p{M}/gu, '')
    const texts = [value, value.toUpperCase(), value.toLowerCase(), value.normalize('NFD'), stripped]
    const base64 = [0, 1, 2].map((offset) =>
      Buffer.concat([Buffer.alloc(offset), bytes, Buffer.from('tail')]).toString('base64'),
    )
    const written = [...texts, ...texts.map(encodeURIComponent), bytes.toString('hex'), ...base64]
    for (const text of [...written, Buffer.from(value, 'utf16le'), Buffer.from(value, 'utf16le').swap16()]) {
      writeFileSync(
        join(directory.path, 'sample'),
        Buffer.concat([Buffer.from('…'), Buffer.from(text), Buffer.of(0)]),
      )
      expect(found(directory.path, [value]), String(text)).toEqual([`sample: ${value}`])
    }
    writeFileSync(join(directory.path, 'sample'), value.slice(0, -3))
    expect(found(directory.path, [value])).toEqual([])
  },
)
