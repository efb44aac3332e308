/**
 * Theorem: from the command line a department defines a field and an object, sees beforehand what that would do and what speaks against
 * it, reads and explains the values, and takes both back.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Terminal } from '../../api/cli/command.ts'
import { main } from '../../api/cli.ts'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'

let world: LivingWorld
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

async function run(...args: readonly string[]) {
  const out: string[] = []
  const err: string[] = []
  const plain = (text: string) => text
  const terminal: Terminal = {
    env: world.env,
    clock: world.engine.clock,
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    style: { bold: plain, dim: plain, warn: plain },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: (work) => work(new AbortController().signal),
  }
  const code = await main(args, terminal)
  await world.settled()
  return { code, out: out.join('\n'), err: err.join('\n') }
}

test('a field: tried, defined, listed, shown, explained, ruled, archived', async () => {
  const signUp = { anonymousId: 'b1', traits: { email: 'ann@example.com', hat_size: 57 } }
  await world.send({
    id: 'p1',
    source: 'web',
    type: 'cdp.identify',
    time: '2025-01-01T00:00:00Z',
    data: signUp,
  })
  const define = ['fields', 'define', 'profile.hat_size', '--type', 'integer', '--department', 'Retail']
  expect(await run('fields')).toMatchObject({ code: 0, out: 'No field is defined.' })
  const head = world.engine.log.head()
  const tried = await run(...define, '--dry-run')
  expect(tried).toMatchObject({ code: 0 })
  expect(tried.out).toMatch(
    /profile: 1 rows, folded anew; \+hat_size\n(?:.*\n)*A dry run: nothing was appended\./,
  )
  expect(world.engine.log.head()).toEqual(head)
  expect((await run(...define)).out).toContain(`defined at position ${head.position + 1}`)
  expect((await run('fields', '--object', 'profile')).out).toContain('profile.hat_size  integer, latest')
  expect((await run('show', 'ann@example.com')).out).toMatch(/hat_size\s+57/)
  expect((await run('why', 'ann@example.com', 'hat_size')).out).toContain('hat_size is 57: web sent it')
  const narrower = await run('fields', 'define', 'profile.hat_size', '--type', 'text')
  expect(narrower).toMatchObject({ code: 1 })
  expect(narrower.err).toContain('/type: hat_size is of the type integer')
  expect(await run('lock', 'ann@example.com', 'hat_size', '--value-json', '58')).toMatchObject({ code: 0 })
  expect((await run('why', 'ann@example.com', 'hat_size')).out).toContain('58')
  expect(JSON.parse((await run('fields', '--json')).out).data).toHaveLength(1)
  expect((await run('fields', 'archive', 'profile.hat_size')).out).toContain('-hat_size')
  expect((await run('fields', 'archive', 'profile.hat_size')).code).toBe(1)
  expect((await run('fields', 'define', 'hat_size', '--type', 'text')).code).toBe(2)
  expect((await run('fields', 'define', 'lead.hat_size')).code).toBe(2)
})

test('an object: tried, defined, listed, shown, archived', async () => {
  const define = [
    'objects',
    'define',
    'vendor',
    '--label',
    'Vendors',
    '--field',
    'tier:text',
    '--field',
    'spend:money:max',
  ]
  expect((await run(...define, '--dry-run')).out).toContain('custom_record: 0 rows, folded anew')
  expect(await run(...define)).toMatchObject({ code: 0 })
  const vendor = { id: 'V1', tier: 'gold\u001b[2J', spend: '9.95' }
  await world.send({
    id: 'v1',
    source: 'erp',
    type: 'vendor.created',
    time: '2025-01-01T00:00:00Z',
    data: vendor,
  })
  const listed = await run('objects')
  expect(listed.out).toContain('vendor  Vendors, 1 records\n')
  expect(listed.out).toContain('spend  money, max')
  expect((await run('objects', 'show', 'vendor')).out).toMatch(/V1 {2}.*spend=9\.95 {2}tier=gold\ufffd\[2J/)
  expect((await run('objects', 'show', 'vendor', 'V1')).out).toContain('spend  9.95')
  expect((await run('objects', 'show', 'vendor', 'V2')).code).toBe(1)
  expect((await run('objects', 'show', 'lorry')).code).toBe(1)
  expect((await run('objects', 'define', 'lead')).err).toContain('/object: object lead is a view')
  expect((await run('objects', 'archive', 'vendor')).code).toBe(0)
  expect((await run('objects')).out).toBe('No object is defined.')
  expect((await run('objects', 'define', 'vendor', '--field', 'tier')).code).toBe(2)
})
