import * as E from 'fp-ts/lib/Either.js'
import {
  COMPANY_BY_DOMAIN,
  type CompanyByDomain,
  type CompanyDomains,
  companyDomains,
  DEFAULT_COMPANY_BY_DOMAIN,
  parseCompanyByDomain,
  unicodeDomain,
} from '../engine/events/company-domain.ts'
import type { Configuration, DecodedEvent } from '../engine/projector/projection.ts'
import type { Explanation } from '../engine/reducers/rule.ts'
import { own } from './values.ts'

/** Which company somebody belongs to by domain, as the workspace's identity rules say. */

const DEFAULT = companyDomains(DEFAULT_COMPANY_BY_DOMAIN)
const known = new WeakMap<Configuration, CompanyDomains>()
const rulesIn = new WeakMap<Configuration, CompanyByDomain>()

/** By published identity rules; ones that this release can't read count as none. */
export function companiesIn(config: Configuration): CompanyDomains {
  const found = known.get(config)
  if (found !== undefined) return found
  const rules = companyRulesIn(config)
  const domains = rules === DEFAULT_COMPANY_BY_DOMAIN ? DEFAULT : companyDomains(rules)
  known.set(config, domains)
  return domains
}

/** Of several streams the later by name counts, as of survivorship rules: positions are none of a configuration's content. */
export function companyRulesIn(config: Configuration): CompanyByDomain {
  const before = rulesIn.get(config)
  if (before !== undefined) return before
  const last = config.all('rules.published').findLast(({ data }) => data.kind === 'identity')
  const parsed = parseCompanyByDomain(own(last?.data.rules, COMPANY_BY_DOMAIN))
  const rules = E.isRight(parsed) ? parsed.right : DEFAULT_COMPANY_BY_DOMAIN
  rulesIn.set(config, rules)
  return rules
}

type Concerns = (event: DecodedEvent) => unknown

/** For `concerns` of a projection that shows company domains. */
export function withCompanies(concerns: Concerns): Concerns {
  return (event) =>
    event.type === 'rules.published' && event.data['kind'] === 'identity'
      ? own(event.data['rules'], COMPANY_BY_DOMAIN)
      : concerns(event)
}

/** How the company that a domain stands for may write its own; in its own letters it stands in events of earlier releases. */
export function spellingsOf(config: Configuration, domain: string): readonly string[] {
  const aliases = Object.entries(companyRulesIn(config).aliases).filter(([, counted]) => counted === domain)
  const domains = [domain, ...aliases.map(([alias]) => alias)].flatMap((each) => [each, unicodeDomain(each)])
  return [...new Set(domains)].flatMap((each) => [each, `www.${each}`])
}

/** A person's by mail address, a company's by its own domain. */
export function companyDomainOf(
  kind: '' | 'company' | 'person',
  { email, domain }: { readonly email?: unknown; readonly domain?: unknown },
  companies: CompanyDomains,
): string | null {
  if (kind === 'person') return typeof email === 'string' ? companies.ofMail(email) : null
  return kind === 'company' && typeof domain === 'string' ? companies.ofCompany(domain) : null
}

/** It stands on the write that gave the address, or the company's own domain; undefined where there is none. */
export function explainCompanyDomain(
  kind: '' | 'company' | 'person',
  explained: Readonly<Record<string, Explanation<unknown>>>,
  companies: CompanyDomains,
): Explanation<unknown> | undefined {
  const { email, domain } = explained
  const from = kind === 'company' ? domain : email
  if (from === undefined || from.winners.length === 0) return undefined
  return {
    value: companyDomainOf(kind, { email: email?.value, domain: domain?.value }, companies),
    rule: COMPANY_BY_DOMAIN,
    winners: from.winners,
    overruled: from.overruled,
  }
}
