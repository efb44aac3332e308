import { randomBytes } from 'node:crypto'
import { type Build, headOf, NEW_STORE } from './build.ts'
import { type Cell, compareText } from './cells.ts'
import { CURSOR_KEY_BYTES } from './cursor.ts'
import type { Checkpoint, Commit, PoisonEvent, RefusedEvidence } from './store.ts'

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
  /** Of all evidence that ever came: its place. */
  readonly #places = new Map<string, number>()
  readonly #refused = new Set<string>()
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
      this.#places,
      this.#refused,
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

  addEvidence({ id, identities, bytes, refused }: Commit['evidence'][number]): void {
    this.evidence.set(id, bytes.slice())
    if (!this.#places.has(id)) this.#places.set(id, this.#places.size + 1)
    if (refused === true) this.#refused.add(id)
    else this.#refused.delete(id)
    for (const identity of identities) added(this.evidenceOf, identity, id)
  }

  named(after: string, limit: number): readonly string[] {
    const names = [...this.evidenceOf.keys()].filter((name) => compareText(name, after) > 0)
    return names.sort(compareText).slice(0, limit)
  }

  review(after: number, limit: number): readonly RefusedEvidence[] {
    const found = Array.from(this.#refused, (id) => ({
      place: this.#places.get(id) ?? 0,
      bytes: this.evidence.get(id)?.slice() ?? new Uint8Array(),
    }))
    return found
      .filter(({ place }) => place > after)
      .sort((a, b) => a.place - b.place)
      .slice(0, limit)
  }
}

function added(sets: Map<string, Set<string>>, key: string, value: string): void {
  const known = sets.get(key)
  if (known === undefined) sets.set(key, new Set([value]))
  else known.add(value)
}
