import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../../engine/clock.ts'
import type { Identity, IdentityId, StatedIdentity } from '../../engine/events/identity.ts'
import { addressesIn } from '../../engine/intake/addresses.ts'
import type { EngineIntake } from '../../engine/intake/intake.ts'
import type { Quarantine } from '../../engine/intake/quarantine.ts'
import type { Log } from '../../engine/log/log.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import type { ErasingKeyStore } from '../../engine/privacy/privacy.ts'
import type { StoreReader } from '../../engine/store/store.ts'
import type { ErasingReads } from '../erasing-reads.ts'
import { ErasureHeldUp } from './held-up.ts'
import { withLoggedRounds } from './logged-rounds.ts'
import type { ErasureRecords, Round, StoredErasure } from './operations-file.ts'
import { touchedPositions } from './touched.ts'
import { type NameSearch, searchFor } from './values.ts'

/** What an erasure has just done, durably: a crash may come after any of them. In their order. */
export const ERASURE_STEPS = [
  'planned',
  'recorded',
  'searched',
  'destroyed',
  'forgotten',
  'refolded',
] as const
export type ErasureStep = (typeof ERASURE_STEPS)[number]

export interface ErasingParts {
  readonly log: Log
  readonly keyStore: ErasingKeyStore
  readonly quarantine: Pick<Quarantine, 'forget'>
  readonly intake: Pick<EngineIntake, 'record' | 'drain'>
  readonly store: Pick<StoreReader, 'builds' | 'members' | 'waitFor'>
  readonly reads: ErasingReads
  readonly records: ErasureRecords
  readonly clock: Clock
  /** Told of every step; what it throws ends the erasure there. */
  readonly onStep?: ((step: ErasureStep) => void) | undefined
}

interface Carried {
  /** Without those that were taken back at the last moment. */
  readonly erasures: readonly StoredErasure[]
  /** How many states were folded anew. */
  readonly keys: number
}

/**
 * Carries out erasures, all in one pass: the log says so first, then bodies in quarantine, mapping and keys go, and last
 * what the read models hold. Each step may be done again, so an erasure that a crash has cut off is simply begun anew
 * from what `records` says. Whoever is linked to a person while that happens is forgotten in another round.
 */
export async function carryOut(parts: ErasingParts, begun: readonly StoredErasure[]): Promise<Carried> {
  let erasures = await withLoggedRounds(parts, begun)
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const planned = await withRounds(parts, erasures, round)
    if (planned.length === 0) return { erasures: [], keys: 0 }
    if (round > 0 && planned.every((each, at) => each === erasures[at])) break
    erasures = planned
    parts.onStep?.('planned')
    erasures = await recorded(parts, erasures)
    parts.onStep?.('recorded')
    erasures = await destroyed(parts, erasures)
    await parts.reads.forget(idsOf(erasures))
    // What was sealed before may be on its way into the log still.
    await parts.intake.drain()
    parts.onStep?.('forgotten')
  }
  const keys = await refolded(parts, idsOf(erasures))
  parts.onStep?.('refolded')
  return { erasures, keys }
}

/** Events under way may bring one more round or two; after that every event of theirs is refused. */
const MOST_ROUNDS = 8

export function idsOf(erasures: readonly StoredErasure[]): readonly IdentityId[] {
  const ids = erasures.flatMap(({ plan }) =>
    plan.rounds.flatMap(({ identities }) => identities.map(({ id }) => id)),
  )
  return [...new Set(ids)]
}

/** Adds a round to each whose component has identities that no round has yet; the others stay the same object. */
async function withRounds(
  parts: ErasingParts,
  erasures: readonly StoredErasure[],
  round: number,
): Promise<readonly StoredErasure[]> {
  const next: StoredErasure[] = []
  for (const erasure of erasures) {
    const isCutOff = round === 0 && erasure.plan.rounds.length > 0
    const identities = isCutOff ? [] : await newlyKnown(parts, erasure)
    if (isCutOff || (identities.length === 0 && round > 0)) {
      next.push(erasure)
      continue
    }
    // Whoever took it back while the read models were waited for was told that it is.
    if (round === 0 && parts.records.get(erasure.number)?.state === 'cancelled') continue
    const holdings = parts.keyStore.holdings(identities.map(({ id }) => id))
    const added: Round = {
      identities: [...identities],
      mappings: holdings.mappings,
      keyIds: [...holdings.keyIds],
      position: null,
    }
    const rounds = [...erasure.plan.rounds, added]
    const plan = { ...erasure.plan, rounds }
    next.push(
      kept(parts, { ...erasure, state: 'executing', plan, reason: reasonFor(parts, erasure, identities) }),
    )
  }
  return next
}

/**
 * Some identities may have been linked since it was asked for: a reason that names one of them doesn't get into the log, nor one
 * for whom nobody is left to look for.
 */
function reasonFor(
  { keyStore }: Pick<ErasingParts, 'keyStore'>,
  { reason, plan }: StoredErasure,
  identities: readonly Identity[],
): string | undefined {
  // Once it is there, it is there.
  if (reason === undefined || plan.rounds.length > 0) return reason
  return identities.length === 0 || isNaming(keyStore, reason, identities) ? undefined : reason
}

/** True if a text names one of them, or holds any address. */
export function isNaming(
  keyStore: Pick<ErasingKeyStore, 'reveal'>,
  text: string,
  identities: readonly Identity[],
): boolean {
  const people = identities.flatMap(({ id }) => keyStore.reveal(id) ?? [])
  return searchFor(people).inText(text) || addressesIn(text).length > 0
}

async function newlyKnown(
  parts: ErasingParts,
  { identity, plan }: StoredErasure,
): Promise<readonly Identity[]> {
  const planned = new Set(plan.rounds.flatMap(({ identities }) => identities.map(({ id }) => id)))
  const component = await componentOf(parts, identity)
  return component.filter(({ id }) => !planned.has(id))
}

/** The identities of a person's profile that are still known, once the read models hold all that the log holds now. */
async function componentOf(parts: ErasingParts, identity: IdentityId): Promise<readonly Identity[]> {
  if (!(await hasCaughtUp(parts.store, parts.log.head().position))) throw new ErasureHeldUp(LAGGING)
  return componentSoFar(parts, identity)
}

export const LAGGING = 'the read models lag behind the log'

/** The same as far as the read models have come. */
export async function componentSoFar(
  { store, keyStore }: Pick<ErasingParts, 'store' | 'keyStore'>,
  identity: IdentityId,
): Promise<readonly Identity[]> {
  const { value } = await store.members([identity])
  return (value.get(identity)?.members ?? [identity]).flatMap((id) => {
    const stated = keyStore.reveal(id)
    return stated === undefined ? [] : [{ id, namespace: stated.namespace }]
  })
}

/** Waits as long as it takes, if only they get on: they may be folded anew from a long log. */
async function hasCaughtUp(store: Pick<StoreReader, 'builds' | 'waitFor'>, head: number): Promise<boolean> {
  for (let before = ''; ; ) {
    if (await store.waitFor(head, STANDSTILL_MS)) return true
    const { position, value } = await store.builds()
    const now = JSON.stringify([position, value.map((build) => [build.build, build.position])])
    if (now === before) return false
    before = now
  }
}

const STANDSTILL_MS = 300_000

async function recorded(
  parts: ErasingParts,
  erasures: readonly StoredErasure[],
): Promise<readonly StoredErasure[]> {
  const next: StoredErasure[] = []
  for (const erasure of erasures) {
    const { number, plan, reason } = erasure
    const rounds: Round[] = []
    for (const [at, round] of plan.rounds.entries()) {
      const erased = round.identities.map(({ id }) => id)
      const data = { certificate: number, erased, round: at, ...(reason === undefined ? {} : { reason }) }
      rounds.push({
        ...round,
        position: round.position ?? (await record(parts, `erased-${number}-${at}`, data)),
      })
    }
    next.push(kept(parts, { ...erasure, plan: { ...plan, rounds } }))
  }
  return next
}

/** Its position; the same one where a crash came between the log and the records. */
async function record(
  { intake }: ErasingParts,
  id: string,
  data: Readonly<Record<string, unknown>>,
): Promise<number> {
  const result = await intake.record({ type: 'person.erased', id, data })
  switch (result.status) {
    case 'appended':
    case 'duplicate':
      return result.position
    case 'refused':
      throw new ErasureHeldUp(result.refusal.message)
    case 'quarantined':
      return assert.fail(`the log has another event under ${id}`)
  }
}

async function destroyed(
  parts: ErasingParts,
  erasures: readonly StoredErasure[],
): Promise<readonly StoredErasure[]> {
  const bodies = await forget(parts, idsOf(erasures))
  if (bodies === 0) return erasures
  // They name one of them, who can't be told; each certificate counts all.
  return erasures.map((erasure) =>
    kept(parts, { ...erasure, plan: { ...erasure.plan, bodies: erasure.plan.bodies + bodies } }),
  )
}

/**
 * Refused bodies, mapping and keys of these go; answers how many bodies. Bodies first: which of them name somebody can't
 * be told once nobody knows the values any more.
 */
export async function forget(
  parts: Pick<ErasingParts, 'keyStore' | 'clock' | 'quarantine' | 'onStep'>,
  ids: readonly IdentityId[],
): Promise<number> {
  const { keyStore, clock } = parts
  const people = ids.flatMap((id): StatedIdentity[] => {
    const stated = keyStore.reveal(id)
    return stated === undefined ? [] : [stated]
  })
  const search = searchFor(people)
  const since = clock.nowMs()
  const before = people.length === 0 ? 0 : await withoutBodies(parts, search)
  parts.onStep?.('searched')
  await destroy(parts, ids)
  parts.onStep?.('destroyed')
  // What was refused while the others were looked through.
  const after = people.length === 0 ? 0 : await withoutBodies(parts, search, since)
  return before + after
}

async function withoutBodies(
  { quarantine }: Pick<ErasingParts, 'quarantine'>,
  search: NameSearch,
  since?: number,
): Promise<number> {
  const forgotten = await quarantine.forget(search.inBody, since)
  if (E.isLeft(forgotten)) throw new ErasureHeldUp(`quarantine: ${forgotten.left._tag}`)
  if (!forgotten.right.purged) throw new ErasureHeldUp('quarantine: a reader was in the way')
  return forgotten.right.bodies
}

async function destroy(
  { keyStore }: Pick<ErasingParts, 'keyStore'>,
  ids: readonly IdentityId[],
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await keyStore.destroyOwner(ids)
      break
    } catch (error) {
      if (!(error instanceof KeyStoreError)) throw error
      if (error.failure._tag !== 'NotPurged' || tries >= MOST_TRIES) throw new ErasureHeldUp(error.message)
      await sleep(AGAIN_MS)
    }
  }
  const { mappings, keyIds } = keyStore.holdings(ids)
  assert(mappings === 0 && keyIds.length === 0, 'nothing is left of an erased identity')
}

const MOST_TRIES = 20
const AGAIN_MS = 100

/** How many states were folded anew. */
export async function refolded(
  { log, keyStore, reads }: Pick<ErasingParts, 'log' | 'keyStore' | 'reads'>,
  ids: readonly IdentityId[],
): Promise<number> {
  const { keys, purged } = await reads.erase(await touchedPositions(log, keyStore, ids))
  if (!purged) throw new ErasureHeldUp('the read models: a reader was in the way of overwriting them')
  return keys
}

function kept({ records }: ErasingParts, erasure: StoredErasure): StoredErasure {
  records.put(erasure)
  return erasure
}
