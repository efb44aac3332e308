import { randomBytes } from 'node:crypto'
import { type Build, headOf, NEW_STORE } from './build.ts'
import { type Cell, compareText } from './cells.ts'
import { CURSOR_KEY_BYTES } from './cursor.ts'
import type { Checkpoint, PoisonEvent } from './store.ts'

export interface MemoryRow {
  /** `key`, `part`, then all columns of the build. */
  readonly cells: readonly Cell[]
  readonly searchText: string | null
}

export interface MemoryTables {
  readonly states: Map<string, { readonly state: Uint8Array; readonly due: number | undefined }>
  /** Key → part → row. */
  readonly rows: Map<string, ReadonlyMap<string, MemoryRow>>
}

/** What a memory store holds; its writer and readers share it. */
export class MemoryData {
  builds: Map<string, Build> = new Map()
  furthest: Checkpoint = NEW_STORE
  generation = 0
  readonly cursorKey: Uint8Array = randomBytes(CURSOR_KEY_BYTES)
  readonly tables = new Map<string, MemoryTables>()
  /** Identity → profile. */
  readonly profiles = new Map<string, string>()
  readonly #members = new Map<string, Set<string>>()
  readonly evidence = new Map<string, Uint8Array>()
  /** Identity → ids of evidence. */
  readonly evidenceOf = new Map<string, Set<string>>()
  /** Build and position → event. */
  readonly poison = new Map<string, PoisonEvent>()

  head(): Checkpoint {
    return headOf(this.builds.values(), this.furthest)
  }

  /** Forgets everything but the cursor key, in a generation of its own. */
  reset(): void {
    this.builds = new Map()
    this.furthest = NEW_STORE
    this.generation += 1
    for (const kept of [
      this.tables,
      this.profiles,
      this.#members,
      this.evidence,
      this.evidenceOf,
      this.poison,
    ])
      kept.clear()
  }

  setMember(identity: string, profile: string): void {
    const before = this.profiles.get(identity)
    if (before !== undefined) this.#members.get(before)?.delete(identity)
    this.profiles.set(identity, profile)
    added(this.#members, profile, identity)
  }

  profileOf(identity: string): string {
    return this.profiles.get(identity) ?? identity
  }

  /** Sorted, with the profile's own id. */
  membersOf(profile: string): readonly string[] {
    return [...new Set([profile, ...(this.#members.get(profile) ?? [])])].sort(compareText)
  }

  addEvidence(id: string, identities: readonly string[], bytes: Uint8Array): void {
    this.evidence.set(id, bytes.slice())
    for (const identity of identities) added(this.evidenceOf, identity, id)
  }
}

function added(sets: Map<string, Set<string>>, key: string, value: string): void {
  const known = sets.get(key)
  if (known === undefined) sets.set(key, new Set([value]))
  else known.add(value)
}
