import assert from 'node:assert/strict'
import { Components, type MembershipUpdate } from '../identity/components.ts'
import type { Evident } from '../identity/evidence.ts'
import { evidenceOf } from '../identity/evidence.ts'
import type { Evidence, IdentityRules } from '../identity/identity.ts'
import { decodeEvidence, encodeEvidence } from '../identity/stored.ts'
import type { Commit, StoreWriter } from '../store/store.ts'
import { ProfileGrouping } from './grouping.ts'

/** The place in the store, among the evidence, of the rules that its membership follows. No identity has such an id. */
const RULES_KEY = 'identity-rules'
/** Raise it when the same rules and evidence come to another membership, or evidence is marked otherwise. */
const MEANING = 1
/** Identities looked up at a time when all are grouped anew. */
const PAGE = 1_000

/** Gathers evidence and settles who belongs together, at the latest before rows are written. */
export class IdentityFold {
  readonly grouping: ProfileGrouping
  readonly #store: StoreWriter
  #rules: IdentityRules
  #components: Components
  #arrived: Evidence[] = []
  /** What was settled since the last commit. */
  #evidence = new Map<string, Evidence>()
  #regrouped = new Set<string>()
  /** What the next commit writes of the rules; undefined: the store knows them. */
  #unwritten: string | undefined

  constructor(store: StoreWriter, rules: IdentityRules) {
    this.grouping = new ProfileGrouping(store)
    this.#store = store
    this.#rules = rules
    this.#components = this.#componentsBy(rules)
  }

  /** Takes these rules for those that count from here on; true if the stored membership follows others: see `regroup`. */
  follow(rules: IdentityRules): boolean {
    assert(this.#arrived.length === 0 && this.#evidence.size === 0, 'all is in the store')
    this.#rules = rules
    this.#components = this.#componentsBy(rules)
    const [stored] = this.#store.evidenceOf(RULES_KEY)
    const text = fingerprint(rules)
    const isSame = stored !== undefined && Buffer.from(stored.bytes).toString() === text
    this.#unwritten = isSame ? undefined : text
    return !isSame && this.#store.named('', 1).length > 0
  }

  /**
   * Groups all identities anew, one component of evidence a step. The next commit writes what changed, whole; until then
   * nothing else may be taken. Whoever gives it up calls `abandon`. Memory holds what changed, and no more of the rest
   * than otherwise.
   */
  *regroup(): Generator<void, void> {
    let last = ''
    for (;;) {
      const page = this.#store.named(last, PAGE)
      for (const id of page) {
        if (id !== RULES_KEY) {
          // What is in memory of other components is never looked at again, so it need not be in the store yet.
          this.#components.trim()
          const update = this.#components.regroup(id)
          if (update !== undefined) this.#lay(update)
        }
        yield
      }
      last = page.at(-1) ?? ''
      if (page.length < PAGE) return
    }
  }

  /** Forgets what isn't in the store. */
  abandon(): void {
    this.grouping.forget()
    this.#components = this.#componentsBy(this.#rules)
    this.#evidence = new Map()
    this.#regrouped = new Set()
    this.#unwritten = undefined
  }

  take(event: Evident): void {
    for (const evidence of evidenceOf(event)) this.#arrived.push(evidence)
  }

  /** Brings `grouping` up to date with what was taken. */
  settle(): void {
    if (this.#arrived.length === 0) return
    if (this.#evidence.size === 0) this.#components.trim()
    const update = this.#components.update(this.#arrived)
    this.#arrived = []
    this.#lay(update)
  }

  /** Profiles that won or lost members since the last commit, those that vanished included. */
  get regrouped(): ReadonlySet<string> {
    return this.#regrouped
  }

  /** What was settled since the last call, as a commit takes it; it must be in the store before anything else is asked. */
  takeChanges(): Pick<Commit, 'evidence' | 'members'> {
    const evidence: Commit['evidence'][number][] = []
    for (const [slot, kept] of this.#evidence) {
      const refused = kept.kind === 'link' && kept.refused === true
      evidence.push({ id: slot, identities: [kept.a, kept.b], bytes: encodeEvidence(kept), refused })
    }
    if (this.#unwritten !== undefined)
      evidence.push({ id: RULES_KEY, identities: [RULES_KEY], bytes: Buffer.from(this.#unwritten) })
    this.#evidence = new Map()
    this.#regrouped = new Set()
    this.#unwritten = undefined
    return { evidence, members: this.grouping.takeChanges() }
  }

  #lay({ members, profiles, evidence }: MembershipUpdate): void {
    for (const profile of this.grouping.change(members, profiles)) this.#regrouped.add(profile)
    for (const [slot, kept] of evidence) this.#evidence.set(slot, kept)
  }

  #componentsBy(rules: IdentityRules): Components {
    const store = this.#store
    const source = {
      evidenceOf: (id: string) => store.evidenceOf(id).map(({ bytes }) => decodeEvidence(bytes)),
      profileOf: (id: string) => store.profileOf(id),
      membersOf: (profile: string) => store.membersOf(profile),
    }
    return new Components(source, rules)
  }
}

/** Equal where the rules say the same, whatever they are called. */
function fingerprint({ version: _, ...rules }: IdentityRules): string {
  const sorted = (_: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value
  return JSON.stringify([MEANING, rules], sorted)
}
