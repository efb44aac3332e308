import type { StatedIdentity } from './identity.ts'
import { namespaceOf } from './identity.ts'
import { WordEnds } from './word-ends.ts'

/**
 * Values that senders put where an identity should stand and that name nobody: taken at their word they would make one
 * person of all who have them. Compared in lower case, without blanks around. Zeros and dashes of any length (`0`,
 * `00000000-0000-0000-0000-000000000000`, `-`), telephone numbers of one digit only and mail addresses like `test@test.com`
 * count with them.
 *
 * What is taken out of a default list is an identity from then on, and the events before stay without it.
 */
export const BLOCKED_VALUES: readonly string[] = [
  ...['null', 'nil', 'none', 'undefined', 'void', 'nan', 'n/a', '#n/a', 'na', '-1', '?', '.'],
  ...['anonymous', 'unknown', 'not set', '(not set)', 'not provided', '(not provided)', 'not available'],
  ...['[object object]', '{}', '[]', 'false', 'true', 'xxx', 'unbekannt', 'inconnu', 'desconocido'],
]

/**
 * Mailboxes that belong to a role and not to a person (RFC 2142, and what is common beside it). Such an address tells
 * little of who wrote: where an event names the person by something else it is no identity; alone it is.
 */
export const SHARED_MAILBOXES: readonly string[] = [
  ...['info', 'sales', 'marketing', 'support', 'abuse', 'noc', 'security', 'postmaster', 'hostmaster'],
  ...['webmaster', 'admin', 'administrator', 'office', 'contact', 'hello', 'help', 'helpdesk', 'service'],
  ...['billing', 'accounts', 'accounting', 'invoices', 'orders', 'purchasing', 'hr', 'jobs', 'press', 'team'],
  ...['noreply', 'no-reply', 'donotreply', 'do-not-reply', 'mailer-daemon'],
]

/** Local parts that make an address a placeholder where the domain's name says the same, or is an example's. */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  ...['test', 'tests', 'testing', 'example', 'none', 'null', 'noemail', 'nomail', 'no', 'na', 'unknown'],
  ...['anonymous', 'asdf', 'foo', 'fake', 'a', 'abc', 'xxx', 'email', 'user', 'me'],
])

/** Values longer than this are no placeholders: zeros and dashes aside. */
const MAX_WORD = 64

export interface BlockedValues {
  /** `nobody`: never an identity. `shared`: none where the event names somebody of the same kind by another. */
  verdict(identity: StatedIdentity): 'nobody' | 'shared' | undefined
}

export interface BlockedLists {
  readonly values: readonly string[]
  readonly mailboxes: readonly string[]
}

export function blockedValues({ values, mailboxes }: BlockedLists): BlockedValues {
  const words = new Set(values)
  const shared = new Set(mailboxes)
  const wordEnds = new WordEnds(words)
  const mailEnds = new WordEnds([...PLACEHOLDERS, ...words, ...shared])
  return {
    verdict({ namespace, value }) {
      if (isZeroOrDash(value.charCodeAt(0)) && ZEROS_AND_DASHES.test(value)) return 'nobody'
      if (value.length > MAX_WORD && namespace !== 'email') return undefined
      if (namespace === 'phone') return ONE_DIGIT.test(value) ? 'nobody' : undefined
      const at = namespace === 'email' ? value.lastIndexOf('@') : -1
      if (at >= 0) return mailEnds.mayBe(value, at) ? mailVerdict(value, at, words, shared) : undefined
      return wordEnds.mayBe(value, value.length) && words.has(value.trim().toLowerCase())
        ? 'nobody'
        : undefined
    },
  }
}

export const DEFAULT_BLOCKED: BlockedValues = blockedValues({
  values: BLOCKED_VALUES,
  mailboxes: SHARED_MAILBOXES,
})

const ZEROS_AND_DASHES = /^[0\-_ ]+$/

function isZeroOrDash(unit: number): boolean {
  return unit === 0x30 || unit === 0x2d || unit === 0x5f || unit === 0x20
}

/** A country code may stand before it. */
const ONE_DIGIT = /^\+?\d{0,3}?(\d)\1{6,}$/

/** Mail addresses come in lower case. */
function mailVerdict(
  address: string,
  at: number,
  words: ReadonlySet<string>,
  shared: ReadonlySet<string>,
): 'nobody' | 'shared' | undefined {
  const local = address.slice(0, at)
  if (PLACEHOLDERS.has(local) || words.has(local)) {
    const domain = address.slice(at + 1)
    if (domain.slice(0, domain.indexOf('.')) === local) return 'nobody'
  }
  return shared.has(local) ? 'shared' : undefined
}

/** Of an event's identities those that count, in their order; the same list where all do. */
export function countedIdentities(
  identities: readonly StatedIdentity[],
  blocked: BlockedValues,
): readonly StatedIdentity[] {
  let isWhole = true
  for (const identity of identities) if (blocked.verdict(identity) !== undefined) isWhole = false
  if (isWhole) return identities
  const somebody = identities.filter((identity) => blocked.verdict(identity) !== 'nobody')
  const kinds = new Set(
    somebody
      .filter((identity) => blocked.verdict(identity) === undefined)
      .map(({ namespace }) => namespaceOf(namespace).kind),
  )
  return somebody.filter(
    (identity) => blocked.verdict(identity) === undefined || !kinds.has(namespaceOf(identity.namespace).kind),
  )
}
