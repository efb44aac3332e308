import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import { BLOCKED_VALUES, type BlockedLists, SHARED_MAILBOXES } from '../events/blocked-values.ts'
import { type CompanyByDomain, parseCompanyByDomain } from '../events/company-domain.ts'
import { NAMESPACE_PATTERN } from '../events/identity.ts'
import { DEFAULT_RULES, type IdentityRules } from './identity.ts'

/** What `rules.published` of kind `identity` says, all of it: what the document leaves out is as by default. */
export interface PublishedIdentityRules {
  readonly rules: IdentityRules
  /** Counts at the intake, where values are known. */
  readonly blocked: BlockedLists
  /** Says where somebody works; it links nobody, so who is who doesn't depend on it. */
  readonly companyByDomain: CompanyByDomain
}

/** One thing that is wrong with a document. */
export interface RulesError {
  /** A JSON pointer into it. */
  readonly path: string
  readonly message: string
}

const MAX_LIMIT = 10_000
const MAX_DAYS = 36_500
const MAX_LISTED = 1_000

/**
 * Reads a published document:
 *
 * - `limits`: namespace → most of it in one profile, or null for no limit; the other namespaces keep their default
 * - `periods`: namespace → days within which its limit counts
 * - `unique`: namespaces with the limit 1
 * - `priority`: namespaces whose links are followed first, in this order, before all others
 * - `maxComponent`: most identities in one profile
 * - `companyByDomain`: `freeMail` (in place of the default list), `aliases` (domain → the one that it counts as), `off`
 * - `blocked`: `values` and `mailboxes` (in place of the default lists), `namespaces` and `identities` (ids) that link nobody
 *
 * Misspelt properties are errors: taken for absent they would silently change who is who.
 */
export function parseIdentityRules(
  document: unknown,
  version: string,
): Either<readonly RulesError[], PublishedIdentityRules> {
  const reading = new Reading()
  const stated = reading.object('', document, [
    'limits',
    'periods',
    'unique',
    'priority',
    'maxComponent',
    'blocked',
    'companyByDomain',
  ])
  const limits = reading.limits(stated['limits'], stated['unique'])
  const periods = reading.numbers('/periods', stated['periods'], 1, MAX_DAYS)
  for (const namespace of Object.keys(periods)) {
    if (!Object.hasOwn(limits, namespace))
      reading.wrong(`/periods/${namespace}`, 'a period needs a limit of the same namespace')
  }
  const priority = reading.namespaces('/priority', stated['priority'])
  const maxComponent = reading.number('/maxComponent', stated['maxComponent'], 2, MAX_LIMIT)
  const blocked = reading.object('/blocked', stated['blocked'] ?? {}, [
    'values',
    'mailboxes',
    'namespaces',
    'identities',
  ])
  const lists = {
    values: reading.values(blocked['values']),
    mailboxes: reading.mailboxes(blocked['mailboxes']),
  }
  const links = {
    namespaces: reading.namespaces('/blocked/namespaces', blocked['namespaces']),
    identities: reading.texts('/blocked/identities', blocked['identities'], IDENTITY_ID, 'an identity id'),
  }
  const companyByDomain = parseCompanyByDomain(stated['companyByDomain'])
  if (E.isLeft(companyByDomain)) {
    for (const { path, message } of companyByDomain.left) reading.wrong(`/companyByDomain${path}`, message)
    return E.left(reading.errors)
  }
  if (reading.errors.length > 0) return E.left(reading.errors)
  const rules: IdentityRules = {
    version,
    limits,
    maxComponent: maxComponent ?? DEFAULT_RULES.maxComponent,
    priorities: DEFAULT_RULES.priorities,
    ...(Object.keys(periods).length === 0 ? {} : { periods }),
    ...(priority.length === 0
      ? {}
      : { namespaces: Object.fromEntries(priority.map((name, i) => [name, i + 1])) }),
    ...(links.namespaces.length + links.identities.length === 0 ? {} : { blocked: links }),
  }
  return E.right({ rules, blocked: lists, companyByDomain: companyByDomain.right })
}

const IDENTITY_ID = /^[0-9a-f]{32}$/
const LOCAL_PART = /^[^\s@]{1,64}$/
/** What might be somebody's number must not stand in the log in clear. */
const PHONE = /^\+?[\d ()/.-]{7,}$/

type Stated = Readonly<Record<string, unknown>>

class Reading {
  readonly errors: RulesError[] = []

  wrong(path: string, message: string): void {
    this.errors.push({ path, message })
  }

  /** Of these properties and no others; empty where it is none. */
  object(path: string, value: unknown, known?: readonly string[]): Stated {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.wrong(path, 'must be an object')
      return {}
    }
    const entries = Object.entries(value)
    for (const [name] of entries) {
      if (known?.includes(name) === false)
        this.wrong(`${path}/${name}`, `is not known; there are ${known.join(', ')}`)
    }
    return Object.fromEntries(entries)
  }

  number(path: string, value: unknown, least: number, most: number): number | undefined {
    if (value === undefined) return undefined
    if (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value)
    this.wrong(path, `must be a whole number from ${least} to ${most}`)
    return undefined
  }

  numbers(path: string, value: unknown, least: number, most: number): Readonly<Record<string, number>> {
    const read = new Map<string, number>()
    for (const [name, each] of Object.entries(this.object(path, value ?? {}))) {
      if (!this.#isNamespace(`${path}/${name}`, name)) continue
      const number = this.number(`${path}/${name}`, each, least, most)
      if (number !== undefined) read.set(name, number)
    }
    return Object.fromEntries(read)
  }

  /** The default limits with what is stated over them. */
  limits(stated: unknown, unique: unknown): Readonly<Record<string, number>> {
    const all = this.object('/limits', stated ?? {})
    const lifted = Object.keys(all).filter((name) => all[name] === null)
    const numbers = Object.fromEntries(Object.entries(all).filter(([, each]) => each !== null))
    const limits = new Map(Object.entries(DEFAULT_RULES.limits))
    for (const [name, most] of Object.entries(this.numbers('/limits', numbers, 1, MAX_LIMIT)))
      limits.set(name, most)
    for (const name of lifted) limits.delete(name)
    for (const name of this.namespaces('/unique', unique)) {
      if (Object.hasOwn(all, name) && all[name] !== 1)
        this.wrong('/unique', `${name} is unique, so its limit is 1`)
      limits.set(name, 1)
    }
    return Object.fromEntries([...limits].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  namespaces(path: string, value: unknown): readonly string[] {
    return this.texts(path, value, NAMESPACE_PATTERN, 'a namespace')
  }

  /** undefined: none are stated. */
  texts(path: string, value: unknown, pattern: RegExp, what: string): readonly string[] {
    return this.#list(path, value)?.filter((each, i) => this.#fits(`${path}/${i}`, each, pattern, what)) ?? []
  }

  values(value: unknown): readonly string[] {
    const path = '/blocked/values'
    const stated = this.#list(path, value)
    if (stated === undefined) return BLOCKED_VALUES
    for (const [i, each] of stated.entries()) {
      if (each === '' || each.length > 64) this.wrong(`${path}/${i}`, 'must be a text of 1 to 64 characters')
      else if (each.includes('@') || (PHONE.test(each) && new Set(each.replaceAll(/\D/g, '')).size > 2))
        this.wrong(`${path}/${i}`, "must not name anybody: block an address by its identity's id")
    }
    return stated.map((each) => each.trim().toLowerCase())
  }

  mailboxes(value: unknown): readonly string[] {
    const path = '/blocked/mailboxes'
    const stated = this.#list(path, value)
    if (stated === undefined) return SHARED_MAILBOXES
    for (const [i, each] of stated.entries()) {
      if (!LOCAL_PART.test(each.replace(/@$/, '')))
        this.wrong(`${path}/${i}`, 'must be what stands before the @ of a mail address')
    }
    return stated.map((each) => each.replace(/@$/, '').toLowerCase())
  }

  #list(path: string, value: unknown): readonly string[] | undefined {
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.length <= MAX_LISTED && value.every((each) => typeof each === 'string'))
      return value
    this.wrong(path, `must be a list of at most ${MAX_LISTED} texts`)
    return undefined
  }

  #isNamespace(path: string, name: string): boolean {
    return this.#fits(path, name, NAMESPACE_PATTERN, 'a namespace')
  }

  #fits(path: string, value: string, pattern: RegExp, what: string): boolean {
    if (pattern.test(value)) return true
    this.wrong(path, `is not ${what}`)
    return false
  }
}
