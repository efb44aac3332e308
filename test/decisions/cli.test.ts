/**
 * Theorem: from the command line a steward sees two systems disagree, learns why one of them won, tries a decision, makes it, and
 * sees that it stands; what can't be decided is said, and nothing is appended.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Terminal } from '../../api/cli/command.ts'
import { main } from '../../api/cli.ts'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'

const JANE = 'jane@example.com'
const ERP_PHONE = '+442079460018'
const WEB_PHONE = '+442079460999'

let world: LivingWorld
let directory: string
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-decisions-'))
  world = await livingWorld()
  const source = (name: string, priority: number) => ({
    ...{ id: `s-${name}`, source: name, type: 'source.registered', data: { source: name, priority } },
  })
  await world.send(
    source('erp', 1),
    source('web', 2),
    {
      ...{ id: 'o1', source: 'erp', type: 'order.placed', time: '2025-05-02T10:00:00Z' },
      data: { order_id: 'O1', email: JANE, phone: ERP_PHONE, total: '1.00', currency: 'GBP' },
    },
    {
      ...{ id: 'w1', source: 'web', type: 'cdp.identify', time: '2025-06-11T10:00:00Z' },
      data: { anonymousId: 'b1', traits: { email: JANE, phone: WEB_PHONE } },
    },
  )
})
afterEach(async () => {
  await world.close()
  rmSync(directory, { recursive: true, force: true })
})

test('the story of a phone number', async () => {
  const head = world.engine.log.head()
  expect((await run('conflicts')).out).toMatch(
    /phone of [0-9a-f]{32}: open since 2025-06-11 \(rankedUnlessBlank\)\n {2}\+442079460999 {2}web, 2025-06-11, position \d+\n {2}\+442079460018 {2}erp, 2025-05-02, position \d+ {2}← stands/,
  )
  expect((await run('why', JANE, 'phone')).out).toContain(`phone is ${ERP_PHONE}: erp sent it on 2025-05-02`)
  const tried = await run('resolve', JANE, 'phone', '020 7946 0999', '--dry-run', '--by', 'Kim')
  expect(tried.out).toContain('phone: +442079460018 → 020 7946 0999')
  const good = await run('resolve', JANE, 'phone', '+44 20 7946 0999', '--dry-run', '--by', 'Kim')
  expect(good.out).toContain(`phone: ${ERP_PHONE} → ${WEB_PHONE}`)
  expect(good.out).toContain('conflict: open → resolved')
  expect(good.out).toContain('A dry run: nothing was appended.')
  expect(world.engine.log.head()).toEqual(head)

  const done = await run('resolve', JANE, 'phone', WEB_PHONE, '--by', 'Kim', '--reason', 'she called')
  expect(done.out).toContain('conflict.resolved at position')
  await world.settled()
  expect((await run('why', JANE, 'phone')).out).toMatch(
    /phone is \+442079460999: Kim resolved it on \d{4}-\d{2}-\d{2}, because: she called \(it beats every write that is not newer\); overruled: \+442079460999 from web, 2025-06-11; \+442079460018 from erp, 2025-05-02\./,
  )
  expect((await run('conflicts', JANE)).out).toBe('Nobody contradicts anybody.')
  expect((await run('conflicts', JANE, '--all')).out).toMatch(
    /\(resolved by Kim\)\n {2}\+442079460999 {2}steward, .* ← stands\n {2}\+442079460999 {2}web/,
  )
})

test('a lock until a day, and its lifting', async () => {
  const locked = await run('lock', JANE, 'phone', WEB_PHONE, '--until', '2030-01-01', '--by', 'Kim', '--json')
  expect(JSON.parse(locked.out).data).toMatchObject({
    event: { type: 'field.locked' },
    to: { value: WEB_PHONE, explanation: { decided: { by: 'Kim', until: '2030-01-01T00:00:00.000Z' } } },
  })
  await world.settled()
  expect((await run('why', JANE, 'phone')).out).toContain('until 2030-01-01T00:00:00.000Z')
  world.engine.clock.advance(1_000)
  expect((await run('unlock', JANE, 'phone', '--dry-run')).out).toContain(
    `phone: ${WEB_PHONE} → ${ERP_PHONE}`,
  )
})

test('what can’t be decided is said', async () => {
  const head = world.engine.log.head()
  expect(await run('resolve', 'nobody@example.com', 'phone', '1')).toMatchObject({ code: 1 })
  expect((await run('resolve', JANE, 'lifecycle', 'customer')).err).toContain('it can be locked')
  expect((await run('lock', JANE, 'shoe_size', '7')).err).toContain('A steward can decide name')
  expect(await run('resolve', JANE)).toMatchObject({ code: 2 })
  expect(await run('resolve', JANE, 'phone', '1', '--remove')).toMatchObject({ code: 2 })
  expect(await run('lock', JANE, 'phone', '--until', 'soon')).toMatchObject({ code: 2 })
  expect(world.engine.log.head()).toEqual(head)
})

test('rules: checked without an engine, published, listed', async () => {
  const file = join(directory, 'rules.json')
  writeFileSync(file, JSON.stringify({ 'profile.phone': { rule: 'latst' }, 'deal.amount': { rule: 'max' } }))
  const wrong = await run('rules', 'check', file)
  expect(wrong.code).toBe(1)
  expect(wrong.err).toMatch(/profile\.phone: the rules are latest.*\ndeal\.amount: there is no view deal/)
  expect((await run('rules', 'publish', file)).code).toBe(1)
  writeFileSync(file, JSON.stringify({ 'profile.phone': { rule: 'ranked', sources: ['web', 'erp'] } }))
  expect(await run('rules', 'check', file)).toMatchObject({ code: 0, out: 'These rules are in order.' })
  expect((await run('rules', 'publish', file, '--by', 'Kim')).out).toContain('Published at position')
  await expect.poll(async () => (await run('why', JANE, 'phone')).out).toContain(`phone is ${WEB_PHONE}`)
  expect((await run('why', JANE, 'phone')).out).toContain('ranked web > erp')
  const listed = (await run('rules', '--view', 'profile')).out
  expect(listed).toContain('profile.phone  ranked of web > erp  in place of rankedUnlessBlank')
})

async function run(...args: readonly string[]) {
  const out: string[] = []
  const err: string[] = []
  const same = (text: string) => text
  const terminal: Terminal = {
    env: world.env,
    clock: world.engine.clock,
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    style: { bold: same, dim: same, warn: same },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: (work) => work(new AbortController().signal),
  }
  const code = await main(args, terminal)
  return { code, out: out.join('\n'), err: err.join('\n') }
}
