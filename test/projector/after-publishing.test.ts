/**
 * Theorem: an answer that holds at the position of a published rule, or beyond it, follows that rule: whoever publishes one and
 * waits for its position never reads by the rule before, and neither does anybody who doesn't wait.
 */
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'

let world: LivingWorld
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

const PEOPLE = 40
const ROUNDS = 8

const person = (n: number) => ({
  ...{ id: `p${n}`, source: 'web', type: 'cdp.identify' },
  data: { userId: `u${n}`, traits: { email: `p${n}@acme.com` } },
})

interface Said {
  readonly position: number
  readonly domains: readonly (string | null)[]
}

async function said(query: string): Promise<Said> {
  const { status, body } = await world.read(`/v1/profiles?limit=100${query}`)
  expect(status).toBe(200)
  const data = body.data as { company_domain: string | null }[]
  return { position: body.position, domains: [...new Set(data.map((row) => row.company_domain))] }
}

test('one who waits for it, and everybody who asks meanwhile', async () => {
  await world.send(...Array.from({ length: PEOPLE }, (_, n) => person(n)))
  const published: { readonly position: number; readonly domain: string }[] = []
  const heard: Said[] = []
  let isOver = false
  const asking = (async () => {
    while (!isOver) {
      heard.push(await said(''))
      await setImmediate()
    }
  })()
  for (let round = 0; round < ROUNDS; round++) {
    const domain = `round${round}.com`
    const rules = { companyByDomain: { aliases: { 'acme.com': domain } } }
    const [result] = await world.engine.send({
      ...{ id: `r${round}`, source: 'steward', type: 'rules.published' },
      data: { kind: 'identity', version: String(round), rules },
    })
    if (result?.status !== 'appended') throw new Error('the rules were not taken')
    const { position } = result
    published.push({ position, domain })
    // Longer than a request may wait, on a machine that is busy.
    await world.settled()
    expect(await said(`&after=${position}`)).toEqual({ position, domains: [domain] })
    const one = await world.read(`/v1/profiles/user:u1`)
    expect(one).toMatchObject({ status: 200, body: { data: { company_domain: domain } } })
  }
  isOver = true
  await asking
  for (const { position, domains } of heard) {
    const rule = published.findLast((each) => each.position <= position)
    if (rule !== undefined) expect(domains).not.toContain('acme.com')
    // Shortly before its position a rule may be followed already; no older one is at or after it.
    const allowed = published
      .filter((each) => each.position >= (rule?.position ?? 0))
      .map((each) => each.domain)
    for (const domain of domains) if (domain !== 'acme.com') expect(allowed).toContain(domain)
  }
  expect(heard.length).toBeGreaterThanOrEqual(ROUNDS)
})
