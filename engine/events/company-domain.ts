import { domainToASCII, domainToUnicode } from 'node:url'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'

/**
 * Providers that give mail addresses to anybody: such an address says nothing of where somebody works. What a workspace
 * publishes takes the place of this list.
 */
export const FREE_MAIL: readonly string[] = [
  ...['gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'hotmail.co.uk', 'hotmail.fr', 'live.com'],
  ...['msn.com', 'yahoo.com', 'yahoo.co.uk', 'yahoo.co.jp', 'yahoo.fr', 'yahoo.de', 'ymail.com', 'aol.com'],
  ...[
    'icloud.com',
    'me.com',
    'mac.com',
    'proton.me',
    'protonmail.com',
    'fastmail.com',
    'zoho.com',
    'mail.com',
  ],
  ...[
    'gmx.de',
    'gmx.net',
    'gmx.at',
    'gmx.ch',
    'web.de',
    't-online.de',
    'freenet.de',
    'posteo.de',
    'orange.fr',
  ],
  ...['free.fr', 'laposte.net', 'wanadoo.fr', 'libero.it', 'btinternet.com', 'comcast.net', 'verizon.net'],
  ...[
    'mail.ru',
    'yandex.ru',
    'qq.com',
    '163.com',
    '126.com',
    'naver.com',
    'uol.com.br',
    'bol.com.br',
    'rediffmail.com',
  ],
]

/** Which company a mail address or a company's own domain stands for. */
export interface CompanyByDomain {
  readonly freeMail: readonly string[]
  /** Domain → the one that it counts as; none of these is itself one that counts as another. */
  readonly aliases: Readonly<Record<string, string>>
  /** Nobody belongs to a company by domain. */
  readonly off: boolean
}

export const DEFAULT_COMPANY_BY_DOMAIN: CompanyByDomain = { freeMail: FREE_MAIL, aliases: {}, off: false }

/** The rule's name, where values are explained. */
export const COMPANY_BY_DOMAIN = 'companyByDomain'

const MAX_LISTED = 10_000
const MAX_DOMAIN = 253
const DOMAIN = /^[^\s@./:]+(\.[^\s@./:]+)+$/u
const KNOWN = ['freeMail', 'aliases', 'off']

interface Wrong {
  /** A JSON pointer into what is stated. */
  readonly path: string
  readonly message: string
}

/** Reads what `rules.published` of kind `identity` says under `companyByDomain`; misspelt properties are errors. */
export function parseCompanyByDomain(stated: unknown): Either<readonly Wrong[], CompanyByDomain> {
  if (stated === undefined) return E.right(DEFAULT_COMPANY_BY_DOMAIN)
  if (!isObject(stated)) return E.left([{ path: '', message: 'must be an object' }])
  const wrong: Wrong[] = Object.keys(stated)
    .filter((name) => !KNOWN.includes(name))
    .map((name) => ({ path: `/${name}`, message: `is not known; there are ${KNOWN.join(', ')}` }))
  const freeMail = readFreeMail(ownOf(stated, 'freeMail'), wrong)
  const aliases = readAliases(ownOf(stated, 'aliases'), wrong)
  const off = ownOf(stated, 'off') ?? false
  if (typeof off !== 'boolean') wrong.push({ path: '/off', message: 'must be true or false' })
  return wrong.length > 0 ? E.left(wrong) : E.right({ freeMail, aliases, off: off === true })
}

function readFreeMail(stated: unknown, wrong: Wrong[]): readonly string[] {
  if (stated === undefined) return FREE_MAIL
  if (!Array.isArray(stated) || stated.length > MAX_LISTED) {
    wrong.push({ path: '/freeMail', message: `must be a list of at most ${MAX_LISTED} domains` })
    return []
  }
  return stated.map((each: unknown, i) => readDomain(each, `/freeMail/${i}`, wrong))
}

function readAliases(stated: unknown, wrong: Wrong[]): Readonly<Record<string, string>> {
  if (stated === undefined) return {}
  if (!isObject(stated) || Object.keys(stated).length > MAX_LISTED) {
    wrong.push({ path: '/aliases', message: `must be an object of at most ${MAX_LISTED} domains` })
    return {}
  }
  const aliases = new Map<string, string>()
  for (const [domain, target] of Object.entries(stated)) {
    const path = `/aliases/${domain.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const from = readDomain(domain, path, wrong)
    if (aliases.has(from)) wrong.push({ path, message: 'is stated twice' })
    aliases.set(from, readDomain(target, path, wrong))
  }
  for (const [from, to] of aliases) {
    if (from !== '' && aliases.has(to))
      wrong.push({ path: `/aliases/${from}`, message: 'counts as a domain that counts as another' })
  }
  return Object.fromEntries(aliases)
}

/** '' where it is none. */
function readDomain(stated: unknown, path: string, wrong: Wrong[]): string {
  const domain = typeof stated === 'string' ? domainIn(stated) : undefined
  if (domain !== undefined) return domain
  wrong.push({ path, message: 'is not a domain, such as example.com' })
  return ''
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function ownOf(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

const ASCII = /^[!-~]*$/

/**
 * In lower case and ASCII (UTS #46: `bücher.example` and `xn--bcher-kva.example` are one domain), without the dot of the root;
 * undefined: a text that is none.
 */
function domainIn(text: string): string | undefined {
  const stated = text.trim().toLowerCase().replace(/\.$/, '')
  if (stated.length > MAX_DOMAIN || !DOMAIN.test(stated)) return undefined
  const isPlain = ASCII.test(stated) && !stated.includes('xn--')
  const domain = isPlain ? stated : domainToASCII(stated)
  return domain.length <= MAX_DOMAIN && DOMAIN.test(domain) ? domain : undefined
}

const WEB_ADDRESS = /^(?:https?:)?\/\//i

/** The host of what a company gives as its domain: the page's address often stands there. */
function hostIn(text: string): string {
  const stated = text.trim()
  if (WEB_ADDRESS.test(stated)) {
    const url = URL.parse(stated.startsWith('//') ? `https:${stated}` : stated)
    return url?.hostname ?? stated
  }
  return stated.replace(/[/?#].*$/s, '').replace(/:\d{1,5}$/, '')
}

const ROOT = /^\s*(?:(?:https?:)?\/\/)?[^/?#]+\/?\s*$/i

/**
 * The form in which a company's domain identifies it; in lower case where it is none. A page within a site isn't the site: on
 * some many companies have one.
 */
export function normalDomain(text: string): string {
  return (ROOT.test(text) ? domainIn(hostIn(text)) : undefined) ?? text.trim().toLowerCase()
}

/** As people write it. */
export function unicodeDomain(domain: string): string {
  return domain.includes('xn--') ? domainToUnicode(domain) : domain
}

export interface CompanyDomains {
  /** The domain that stands for the company which an address is of; null: it is of none. */
  ofMail(address: string): string | null
  /** The same of a company's own domain, also where it is written `www.example.com` or as its page's address. */
  ofCompany(domain: string): string | null
}

export function companyDomains({ freeMail, aliases, off }: CompanyByDomain): CompanyDomains {
  if (off) return NO_COMPANIES
  const free = new Set(freeMail)
  const counted = new Map(Object.entries(aliases))
  const of = (text: string): string | null => {
    const domain = domainIn(text)
    if (domain === undefined) return null
    const own = counted.get(domain) ?? domain
    return free.has(own) ? null : own
  }
  return {
    ofMail: (address) => {
      const at = address.lastIndexOf('@')
      return at < 1 ? null : of(address.slice(at + 1))
    },
    ofCompany: (domain) => of(hostIn(domain).replace(/^www\./i, '')),
  }
}

const NO_COMPANIES: CompanyDomains = { ofMail: () => null, ofCompany: () => null }
