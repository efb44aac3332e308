/**
 * Theorem: a person belongs to the company of the mail address that won, by the identity rules in force, whatever came first:
 * person, company or rules; free mail providers employ nobody; aliases count as one company; a moment of the past follows
 * that moment's rules; companies of two systems with one domain are one; who is forgotten belongs to none. The rules are
 * read strictly, and what they derive is a function of the address and the rules alone.
 */
import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, describe, expect, it } from 'vitest'
import {
  companyDomains,
  DEFAULT_COMPANY_BY_DOMAIN,
  FREE_MAIL,
  normalDomain,
  parseCompanyByDomain,
} from '../../engine/events/company-domain.ts'
import { parseIdentityRules } from '../../engine/identity/rules.ts'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'

let world: LivingWorld

const person = (id: string, email: string, time = '2025-02-01T10:00:00Z') => ({
  ...{ id, source: 'web', type: 'cdp.identify', time },
  data: { userId: id, traits: { email } },
})
const account = (
  id: string,
  source: string,
  domain: string,
  name: string,
  time = '2025-02-02T10:00:00Z',
) => ({
  ...{ id: `a-${id}`, source, type: 'account.created', time },
  data: { account_id: id, domain, name },
})
const rules = (id: string, companyByDomain: object | undefined, time = '2025-03-01T10:00:00Z') => ({
  ...{ id: `r-${id}`, source: 'steward', type: 'rules.published', time },
  data: { kind: 'identity', version: id, rules: companyByDomain === undefined ? {} : { companyByDomain } },
})

const profile = async (id: string, query = '') =>
  (await world.read(`/v1/profiles/${encodeURIComponent(id)}?${query}`)).body
const listed = async (domain: string, query = '') => {
  const { data } = (await world.read(`/v1/profiles?company_domain=${domain}${query}`)).body
  return (data as { kind: string; email: string | null }[]).map(({ kind, email }) => email ?? kind).sort()
}

describe('people and their company', () => {
  afterEach(() => world.close())

  const HISTORY = [
    person('jane', 'Jane@Acme.com'),
    person('bob', 'bob@acme.de'),
    person('ann', 'ann@gmail.com'),
    account('1', 'crm', 'acme.com', 'Acme'),
  ]

  it('whatever comes first', async () => {
    for (const events of [HISTORY, [...HISTORY].reverse()]) {
      world = await livingWorld()
      await world.send(...events)
      expect(await listed('acme.com')).toEqual(['company', 'jane@acme.com'])
      const { data } = await profile('user:jane', 'explain=true')
      const company = await profile('domain:acme.com')
      expect(data.employer).toMatchObject({
        ...{ id: company.data.id, name: 'Acme', domain: 'acme.com' },
        because: { rule: 'companyByDomain', version: '1', event: 'jane', source: 'web' },
      })
      expect(company.data).toMatchObject({
        kind: 'company',
        company_domain: 'acme.com',
        people: { count: 1 },
      })
      expect((await world.read(company.data.people.list)).body.data).toMatchObject([
        { email: 'jane@acme.com' },
      ])
      expect((await profile('user:ann')).data).toMatchObject({ company_domain: null, employer: null })
      expect((await profile('user:bob')).data.employer).toMatchObject({
        id: null,
        name: null,
        domain: 'acme.de',
      })
      await world.close()
    }
    world = await livingWorld()
  })

  it('follows published rules back to the beginning, and a past moment those of then', async () => {
    world = await livingWorld()
    await world.send(...HISTORY)
    const before = world.engine.log.head().position
    await world.send(rules('2', { freeMail: ['acme.com'], aliases: { 'ACME.de': 'acme.org' } }))
    expect(await listed('acme.com')).toEqual([])
    expect(await listed('acme.org')).toEqual(['bob@acme.de'])
    expect(await listed('gmail.com')).toEqual(['ann@gmail.com'])
    await world.send(rules('3', { aliases: { 'acme.de': 'acme.com' } }))
    expect(await listed('acme.com')).toEqual(['bob@acme.de', 'company', 'jane@acme.com'])
    expect((await profile('user:bob', 'explain=true')).data.employer).toMatchObject({
      name: 'Acme',
      because: { version: '3' },
    })
    const then = (await profile('user:jane', `asOf=${before}&explain=true`)).data
    expect(then).toMatchObject({ company_domain: 'acme.com', employer: { name: 'Acme', domain: 'acme.com' } })
    expect(then.employer.because).toMatchObject({ version: '1', event: 'jane' })
    expect((await profile('user:bob', `asOf=${before}`)).data.employer).toMatchObject({
      domain: 'acme.de',
      id: null,
    })
    expect(await listed('acme.com', `&asOf=${before}&wait=5000`)).toEqual(['company', 'jane@acme.com'])
    await world.send(rules('4', { off: true }))
    expect(await listed('acme.com')).toEqual([])
    expect((await profile('user:jane')).data).toMatchObject({ company_domain: null, employer: null })
    expect((await profile('domain:acme.com')).data.people).toBe(null)
  })

  it('is explained by the address that won', async () => {
    world = await livingWorld()
    await world.send(...HISTORY)
    const { explain } = await profile('user:jane', 'explain=true')
    expect(explain.company_domain).toMatchObject({
      ...{ value: 'acme.com', rule: 'companyByDomain' },
      winners: [{ event: 'jane', source: 'web', value: 'jane@acme.com' }],
    })
    const company = await profile('domain:acme.com', 'explain=true')
    expect(company.explain.company_domain).toMatchObject({ value: 'acme.com', winners: [{ source: 'crm' }] })
  })

  it('accounts of two systems with one domain are one company', async () => {
    world = await livingWorld()
    await world.send(account('1', 'crm', 'acme.com', 'Acme'), account('77', 'erp', 'ACME.com', 'Acme Ltd'))
    expect(await listed('acme.com')).toEqual(['company'])
    expect((await profile('domain:acme.com')).data.sources).toEqual(['crm', 'erp'])
  })

  it('is documented as it is answered', async () => {
    world = await livingWorld()
    await world.send(...HISTORY)
    const { paths } = (await world.read('/docs/json')).body
    const { schema } = paths['/v1/profiles/{id}'].get.responses['200'].content['application/json']
    const documented = schema.properties.data.properties
    const { employer } = (await profile('user:jane', 'explain=true')).data
    const { people } = (await profile('domain:acme.com')).data
    const names = (of: object) => Object.keys(of).sort()
    expect(names(documented.employer.properties)).toEqual(names(employer))
    expect(names(documented.employer.properties.because.properties)).toEqual(names(employer.because))
    expect(names(documented.people.properties)).toEqual(names(people))
    expect(documented.company_domain).toBeDefined()
    expect(schema.properties.data.required).not.toContain('employer')
  })

  it('however the domain is spelt, and where its page’s address stands for it', async () => {
    world = await livingWorld()
    await world.send(
      person('jo', 'jo@xn--bcher-kva.example'),
      person('kim', 'kim@BÜCHER.example'),
      account('1', 'crm', 'bücher.example', 'Bücher'),
      account('2', 'erp', 'https://XN--bcher-KVA.example:8443/', 'Bücher Ltd'),
      account('3', 'shop', 'https://www.other.example/about?x=1', 'Other'),
    )
    expect(await listed('xn--bcher-kva.example')).toEqual([
      'company',
      'jo@xn--bcher-kva.example',
      'kim@bücher.example',
    ])
    for (const spelt of ['bücher.example', 'XN--BCHER-KVA.example', 'http://bücher.example'])
      expect((await profile(`domain:${spelt}`)).data.sources, spelt).toEqual(['crm', 'erp'])
    expect((await profile('user:kim')).data.employer).toMatchObject({
      domain: 'xn--bcher-kva.example',
      name: 'Bücher Ltd',
    })
    expect(await listed('other.example')).toEqual(['company'])
  })
})

describe('the rules', () => {
  it.each([
    [{ freemail: [] }, '/companyByDomain/freemail'],
    [{ freeMail: 'gmail.com' }, '/companyByDomain/freeMail'],
    [{ freeMail: ['gmail'] }, '/companyByDomain/freeMail/0'],
    [{ freeMail: [7] }, '/companyByDomain/freeMail/0'],
    [{ aliases: { 'acme.de': 'acme' } }, '/companyByDomain/aliases/acme.de'],
    [{ aliases: { 'a@b.de': 'acme.com' } }, '/companyByDomain/aliases/a@b.de'],
    [{ aliases: { 'a.de': 'b.de', 'b.de': 'c.de' } }, '/companyByDomain/aliases/a.de'],
    [{ aliases: { 'a.de': 'b.de', 'A.de': 'c.de' } }, '/companyByDomain/aliases/A.de'],
    [{ aliases: [] }, '/companyByDomain/aliases'],
    [{ off: 'yes' }, '/companyByDomain/off'],
    [[], '/companyByDomain'],
  ])('%j is refused at %s', (companyByDomain, path) => {
    const parsed = parseIdentityRules({ companyByDomain }, 'v')
    expect(E.isLeft(parsed) && parsed.left.map((each) => each.path)).toContain(path)
  })

  it('leave everything by default where nothing is said', () => {
    expect(parseCompanyByDomain(undefined)).toEqual(E.right(DEFAULT_COMPANY_BY_DOMAIN))
    expect(parseCompanyByDomain({})).toEqual(E.right(DEFAULT_COMPANY_BY_DOMAIN))
    expect(new Set(FREE_MAIL).size).toBe(FREE_MAIL.length)
    expect(E.isRight(parseCompanyByDomain({ freeMail: FREE_MAIL }))).toBe(true)
  })

  it('make no company of what is no work address', () => {
    const { ofMail, ofCompany } = companyDomains(DEFAULT_COMPANY_BY_DOMAIN)
    for (const address of ['', 'jane', '@acme.com', 'jane@', 'jane@localhost', 'jane@gmail.com', 'j@a b.com'])
      expect(ofMail(address), address).toBe(null)
    expect(ofMail('jane@doe@ACME.com')).toBe('acme.com')
    expect(ofCompany('www.Acme.com')).toBe('acme.com')
    expect(ofCompany('__proto__')).toBe(null)
  })

  it('take a page’s address for its site, and as an identity only where it is the site’s own', () => {
    const { ofMail, ofCompany } = companyDomains({ ...DEFAULT_COMPANY_BY_DOMAIN, freeMail: ['mail.example'] })
    const acme = [
      'https://acme.com',
      'HTTP://www.Acme.com:80/a?b#c',
      '//acme.com/',
      'acme.com/team',
      'acme.com:443',
      'acme.com.',
    ]
    for (const stated of acme) expect(ofCompany(stated), stated).toBe('acme.com')
    for (const stated of [
      'https://',
      'https://a b.com',
      'ftp://acme.com',
      'http://[::1]/',
      'http://mail.example',
    ])
      expect(ofCompany(stated), stated).toBe(null)
    expect(ofMail('jo@Straße.example')).toBe(ofCompany('xn--strae-oqa.example'))
    expect(normalDomain(' https://Acme.com/ ')).toBe('acme.com')
    expect(normalDomain('https://Social.example/acme')).toBe('https://social.example/acme')
    expect(normalDomain('Not a domain')).toBe('not a domain')
  })

  it('are about one form of each domain', () => {
    fc.assert(
      fc.property(fc.webUrl({ validSchemes: ['https'] }), fc.domain(), (url, domain) => {
        for (const stated of [url, domain, `www.${domain}`]) {
          const once = normalDomain(stated)
          expect(normalDomain(once)).toBe(once)
          expect(normalDomain(stated.toUpperCase())).toBe(once)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('bring whoever is of one company under one domain', () => {
    const name = fc.constantFrom('a.com', 'b.com', 'c.com', 'd.com', 'gmail.com')
    const aliases = fc.dictionary(
      fc.constantFrom('a.com', 'b.com'),
      fc.constantFrom('c.com', 'd.com', 'gmail.com'),
    )
    fc.assert(
      fc.property(aliases, fc.array(name), name, (stated, freeMail, domain) => {
        const { ofMail, ofCompany } = companyDomains({ aliases: stated, freeMail, off: false })
        const own = ofCompany(domain)
        expect(ofMail(`x@${domain.toUpperCase()}`)).toBe(own)
        const target = stated[domain] ?? domain
        expect(own).toBe(freeMail.includes(target) ? null : target)
        // What it counts as counts as itself.
        if (own !== null) expect(ofCompany(own)).toBe(own)
      }),
      { numRuns: 200 },
    )
  })
})
