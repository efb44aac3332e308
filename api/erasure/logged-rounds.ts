import type { IdentityId } from '../../engine/events/identity.ts'
import type { Log } from '../../engine/log/log.ts'
import type { ErasingKeyStore } from '../../engine/privacy/privacy.ts'
import type { ErasureRecords, Round, StoredErasure } from './operations-file.ts'

export const ERASED: ReadonlySet<string> = new Set(['person.erased'])

/** What a `person.erased` says. */
interface LoggedRound {
  readonly number: string
  readonly round: number
  readonly erased: readonly IdentityId[]
  readonly position: number
}

interface Parts {
  readonly log: Pick<Log, 'read'>
  readonly keyStore: Pick<ErasingKeyStore, 'holdings' | 'reveal'>
  readonly records: Pick<ErasureRecords, 'put'>
}

/**
 * Takes over what the log says of these erasures and the records don't know: records from a backup were copied before
 * the log was. Who is named there is erased, whatever was planned.
 */
export async function withLoggedRounds(
  { log, keyStore, records }: Parts,
  erasures: readonly StoredErasure[],
): Promise<readonly StoredErasure[]> {
  const logged = await roundsIn(log, new Set(erasures.map(({ number }) => number)))
  return erasures.map((erasure) => {
    const rounds = [...erasure.plan.rounds]
    for (const each of logged.get(erasure.number) ?? []) {
      if (each.round > rounds.length || rounds[each.round]?.position === each.position) continue
      rounds[each.round] = roundOf(each, rounds[each.round], keyStore)
    }
    if (rounds.every((each, at) => each === erasure.plan.rounds[at])) return erasure
    const taken: StoredErasure = { ...erasure, state: 'executing', plan: { ...erasure.plan, rounds } }
    records.put(taken)
    return taken
  })
}

async function roundsIn(
  log: Pick<Log, 'read'>,
  numbers: ReadonlySet<string>,
): Promise<ReadonlyMap<string, readonly LoggedRound[]>> {
  const logged: LoggedRound[] = []
  for await (const batch of log.read({ types: ERASED }))
    for (const { data, position } of batch) {
      const number = data['certificate']
      const round = data['round']
      if (typeof number !== 'string' || typeof round !== 'number' || !numbers.has(number)) continue
      logged.push({ number, round, erased: idsIn(data['erased']), position })
    }
  return Map.groupBy(logged, ({ number }) => number)
}

/** The ids that a `person.erased` names. */
export function idsIn(erased: unknown): readonly IdentityId[] {
  return Array.isArray(erased) ? erased.filter((id) => typeof id === 'string') : []
}

function roundOf(
  { erased, position }: LoggedRound,
  planned: Round | undefined,
  keyStore: Parts['keyStore'],
): Round {
  const namespaces = new Map(planned?.identities.map(({ id, namespace }) => [id, namespace]))
  const identities = erased.map((id) => ({
    id,
    namespace: namespaces.get(id) ?? keyStore.reveal(id)?.namespace ?? 'unknown',
  }))
  const isAsPlanned = erased.length === namespaces.size && erased.every((id) => namespaces.has(id))
  if (planned !== undefined && isAsPlanned) return { ...planned, position }
  const { mappings, keyIds } = keyStore.holdings(erased)
  return { identities, mappings, keyIds: [...keyIds], position }
}
