import { compareText } from './cells.ts'
import type { MemoryData, MemoryTables } from './memory-data.ts'
import type { Commit, StateWrite } from './store.ts'

type Evidence = Commit['evidence'][number]

/** What a commit has written so far, laid over what is committed: for the writer's own reading calls. */
export class UnderWay {
  readonly #data: MemoryData
  readonly #members: ReadonlyMap<string, string>
  readonly #evidence: ReadonlyMap<string, Evidence>
  readonly #states = new Map<string, Map<string, StateWrite>>()

  constructor(data: MemoryData, { members, evidence }: Commit) {
    this.#data = data
    this.#members = new Map(members)
    this.#evidence = new Map(evidence.map((each) => [each.id, { ...each, bytes: each.bytes.slice() }]))
  }

  write(build: string, state: StateWrite): void {
    const states = this.#states.get(build)
    if (states === undefined) this.#states.set(build, new Map([[state.key, state]]))
    else states.set(state.key, state)
  }

  /** undefined: nothing of this key is written yet. */
  state(build: string, key: string): StateWrite | undefined {
    return this.#states.get(build)?.get(key)
  }

  statesOf(build: string, { states }: MemoryTables): MemoryTables['states'] {
    const all = new Map(states)
    for (const [key, { state, due }] of this.#states.get(build) ?? [])
      if (state === undefined) all.delete(key)
      else all.set(key, { state, due })
    return all
  }

  profileOf(identity: string): string | undefined {
    return this.#members.get(identity) ?? this.#data.profiles.get(identity)
  }

  membersOf(profile: string): readonly string[] {
    const members = new Set(this.#data.membersOf(profile))
    for (const [identity, of] of this.#members) {
      if (of === profile) members.add(identity)
      else if (identity !== profile) members.delete(identity)
    }
    return [...members].sort(compareText)
  }

  evidenceOf(identity: string): readonly { readonly id: string; readonly bytes: Uint8Array }[] {
    const ids = new Set(this.#data.evidenceOf.get(identity))
    for (const { id, identities } of this.#evidence.values()) if (identities.includes(identity)) ids.add(id)
    return [...ids].flatMap((id) => {
      const bytes = this.#evidence.get(id)?.bytes ?? this.#data.evidence.get(id)
      return bytes === undefined ? [] : [{ id, bytes: bytes.slice() }]
    })
  }
}
