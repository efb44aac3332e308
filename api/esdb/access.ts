import type { Metadata } from '@grpc/grpc-js'
import type { Credentials } from '../credentials.ts'
import { secretMatcher } from '../security.ts'
import type { CallFailure } from './errors.ts'

/** What is wrong with a call's credentials for reading or appending; undefined: nothing. */
export type CheckAccess = (needed: 'read' | 'write', headers: Metadata) => CallFailure | undefined

/**
 * Basic credentials with any user name: the password is the write key for appending and the read token for reading.
 * `anonymous`: whoever sends none may do both.
 */
export function accessChecker(credentials: Credentials, anonymous: boolean): CheckAccess {
  const matches = { read: secretMatcher(credentials.readToken), write: secretMatcher(credentials.writeKey) }
  return (needed, headers) => {
    const [header] = headers.get('authorization')
    if (header === undefined) return anonymous ? undefined : { _tag: 'AccessDenied' }
    const password = basicPassword(String(header))
    if (password === undefined) return { _tag: 'Unauthenticated' }
    if (matches[needed](password)) return undefined
    const isOther = matches[needed === 'read' ? 'write' : 'read'](password)
    return { _tag: isOther ? 'AccessDenied' : 'Unauthenticated' }
  }
}

function basicPassword(header: string): string | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header) ?? []
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('latin1')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : text.slice(colon + 1)
}
