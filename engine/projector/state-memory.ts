/** A key's state in memory. */
export interface KeptState {
  readonly key: string
  /** By all that is folded; undefined: no event has touched the key. */
  state: unknown
  /** How many freezes there had been when it changed last. */
  changed: number
  /** What the last freeze took of it, if `frozenAt` is that freeze. */
  frozen: unknown
  frozenAt: number
}

/**
 * States used since the last freeze but one stay in memory, and so many at least. Not more: the store has them packed, and
 * what lives long as objects costs more to look after than to unpack again (20,000 of each build: 10 % of all CPU).
 */
const MIN_KEPT = 1_000
const NEVER = -1
/** Keys without a state that are remembered as such: most identities of a large profile never lead an event. */
const MAX_ABSENT = 20_000

/**
 * A build's states as far as they are in memory. What a freeze took stays as it was until the next one, while states go on
 * changing beside it; by the next freeze it must be in the store.
 */
export class StateMemory {
  readonly #read: (key: string) => unknown
  #young = new Map<string, KeptState>()
  #old = new Map<string, KeptState>()
  #dirty: KeptState[] = []
  /** Keys that the store holds no state of, and none is under way. */
  readonly #absent = new Set<string>()
  #freezes = 0

  /** `read`: a state as the store holds it; undefined where it holds none. */
  constructor(read: (key: string) => unknown) {
    this.#read = read
  }

  of(key: string): KeptState {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    const kept = old ?? { key, state: this.#read(key), changed: NEVER, frozen: undefined, frozenAt: NEVER }
    this.#young.set(key, kept)
    return kept
  }

  set(kept: KeptState, state: unknown): void {
    kept.state = state
    if (kept.changed === this.#freezes) return
    kept.changed = this.#freezes
    this.#dirty.push(kept)
    if (this.#absent.size > 0) this.#absent.delete(kept.key)
  }

  /** What changed since the last call, in the order in which it first did. */
  freeze(): readonly KeptState[] {
    const frozen = this.#dirty
    this.#dirty = []
    this.#freezes += 1
    for (const kept of frozen) {
      kept.frozen = kept.state
      kept.frozenAt = this.#freezes
    }
    // What is dropped was last used two freezes ago or more, so the store holds it.
    if (this.#young.size > MIN_KEPT) {
      this.#old = this.#young
      this.#young = new Map()
    }
    return frozen
  }

  /** A state as of the last freeze. */
  frozen(key: string): unknown {
    const kept = this.#young.get(key) ?? this.#old.get(key)
    if (kept?.frozenAt === this.#freezes) return kept.frozen
    // Changed since, and not before: the store holds what the freeze saw.
    if (kept?.changed === this.#freezes) return this.#read(key)
    return kept === undefined ? this.#stored(key) : kept.state
  }

  #stored(key: string): unknown {
    if (this.#absent.has(key)) return undefined
    const state = this.#read(key)
    if (state !== undefined) return state
    if (this.#absent.size >= MAX_ABSENT) this.#absent.clear()
    this.#absent.add(key)
    return undefined
  }
}
