import { isDeepStrictEqual } from 'node:util'
import type { Audit } from '../../engine/audit/audit.ts'
import { entryOf } from '../../engine/audit/verify.ts'
import type { LogReader } from '../../engine/log/log.ts'
import type { Holdings, Opener } from '../../engine/privacy/privacy.ts'
import type { Certificate } from './certificate.ts'

/** One thing that a certificate claims, and whether it is so; a whole sentence. */
export interface Finding {
  readonly check: 'record' | 'event' | 'proof' | 'mappings' | 'keys' | 'parts'
  readonly ok: boolean
  readonly message: string
}

interface Evidence {
  readonly log: Pick<LogReader, 'at' | 'read'>
  readonly keys: Opener & { holdings(ids: readonly string[]): Holdings }
  readonly audit?: Audit | undefined
  /** What was answered when this erasure was done; undefined where that isn't known any more. */
  readonly issued?: Certificate | undefined
}

/**
 * Compares a certificate with log and key store: the log says so, no mapping and no key is left, and no part of any event
 * that was sealed under a destroyed key opens. Reads the whole log.
 */
export async function verifyErasure(
  certificate: Certificate,
  { log, keys, audit, issued }: Evidence,
): Promise<readonly Finding[]> {
  const ids = certificate.identities.map(({ id }) => id)
  const { mappings, keyIds } = keys.holdings(ids)
  return [
    ...checkRecord(certificate, issued),
    await checkEvents(certificate, log),
    ...(await checkProofs(certificate, audit)),
    finding(
      'mappings',
      mappings === 0,
      'no value of the person is known',
      `${mappings} values are still known`,
    ),
    finding('keys', keyIds.length === 0, 'no key of the person is left', `${keyIds.length} keys are left`),
    await checkParts(certificate, log, keys),
  ]
}

function finding(check: Finding['check'], ok: boolean, yes: string, no: string): Finding {
  return { check, ok, message: ok ? yes : no }
}

/** Log and keys don't say when it was done, how much was purged, and which keys there had been: the record does. */
function checkRecord(certificate: Certificate, issued: Certificate | undefined): readonly Finding[] {
  if (issued === undefined) return []
  // Proofs came later than the rest, or a tree head later than they.
  const same = isDeepStrictEqual({ ...certificate, proofs: [] }, { ...issued, proofs: [] })
  return [finding('record', same, 'it is as it was issued', 'it was changed since it was issued')]
}

async function checkEvents(
  { number, positions, identities, reason }: Certificate,
  log: Evidence['log'],
): Promise<Finding> {
  const said = new Set<string>()
  for (const position of positions) {
    const event = await log.at(position)
    const isIt = event?.type === 'person.erased' && event.data['certificate'] === number
    if (!isIt) return finding('event', false, '', `position ${position} of the log is not this erasure`)
    if ((event.data['reason'] ?? null) !== reason)
      return finding('event', false, '', 'the log’s person.erased states another reason')
    const erased: unknown = event.data['erased']
    if (Array.isArray(erased)) for (const id of erased) said.add(String(id))
  }
  const missing = identities.filter(({ id }) => !said.has(id)).length
  const same = missing === 0 && said.size === identities.length
  const no = 'the log’s person.erased names other identities'
  return finding('event', same, `the log says so at position ${positions.join(', ')}`, no)
}

/** Whether the proven entries are those of the bytes that the log has now. Signatures are `headwater audit verify`'s. */
async function checkProofs(
  { proofs = [] }: Certificate,
  audit: Audit | undefined,
): Promise<readonly Finding[]> {
  if (audit === undefined) return []
  const findings: Finding[] = []
  for (const { position, event, entry } of proofs) {
    const now = await audit.proveInclusion(position).catch(() => undefined)
    const bytes = Buffer.from(event, 'base64')
    const holds =
      now !== undefined &&
      Buffer.compare(now.event, bytes) === 0 &&
      entryOf(position, now.event).toString('base64') === entry
    const yes = `the bytes at position ${position} are the proven ones`
    findings.push(finding('proof', holds, yes, `the bytes at position ${position} are not the proven ones`))
  }
  return findings
}

async function checkParts(
  { destroyed }: Certificate,
  log: Evidence['log'],
  opener: Opener,
): Promise<Finding> {
  const keyIds = new Set(destroyed.keyIds)
  let parts = 0
  let opened = 0
  for await (const batch of log.read())
    for (const event of batch)
      for (const part of event.sealed) {
        if (!keyIds.has(part.keyId)) continue
        parts += 1
        if (opener.open(part, event) !== undefined) opened += 1
      }
  const yes = `none of ${parts} sealed parts opens`
  return finding('parts', opened === 0, yes, `${opened} of ${parts} sealed parts still open`)
}
