import { BoundedCache } from '../../engine/bounded-cache.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { OVERHEAD_BYTES } from '../../engine/privacy/format.ts'
import type { KeyReader } from '../../engine/privacy/opener.ts'
import { SealBroken } from '../../engine/privacy/privacy.ts'
import { GROUP_TYPES } from '../erasure/touched.ts'

/** What became of the sealed parts of a log under a key store. */
export interface NeededKeys {
  readonly events: number
  readonly parts: number
  readonly opened: number
  /**
   * Under keys that are gone, in events that name somebody whom `person.erased` names, or may have had them take part, or
   * from before a restore without keys.
   */
  readonly erased: number
  /** Under keys that are gone, of people who aren't known, and whom no `person.erased` names. */
  readonly unexplained: Places
  /** Under keys that are gone although everybody whom the event names is known: those keys are lost. */
  readonly lost: Places
  /** Changed, or of another installation. */
  readonly broken: Places
}

export interface Places {
  readonly count: number
  readonly first: number | undefined
  readonly last: number | undefined
}

const KNOWN_CACHE_ENTRIES = 200_000

/**
 * Opens every sealed part of a log, up to a position: a key that an event needs is there, or its owner was erased.
 * Throws `LogDamaged`. `erased`: who is named by `person.erased`, or was erased otherwise.
 */
export async function checkNeededKeys(
  log: Pick<LogReader, 'read'>,
  keys: KeyReader,
  erased: ReadonlySet<IdentityId>,
  options: {
    readonly until: number
    /** A log restored without its keys has none up to here. */
    readonly forgottenUntil: number
    readonly onPosition: (position: number) => void
  },
): Promise<NeededKeys> {
  const tally = new Tally(keys, erased, options.forgottenUntil)
  for await (const batch of log.read()) {
    for (const event of batch) {
      if (event.position > options.until) return tally.result()
      tally.add(event)
    }
    options.onPosition(batch.at(-1)?.position ?? 0)
  }
  return tally.result()
}

class Tally {
  #events = 0
  #parts = 0
  #opened = 0
  #erasedParts = 0
  readonly #unexplained = new PlaceList()
  readonly #lost = new PlaceList()
  readonly #broken = new PlaceList()
  readonly #keys: KeyReader
  readonly #erased: ReadonlySet<IdentityId>
  readonly #forgottenUntil: number
  readonly #known = new BoundedCache<IdentityId, boolean>(KNOWN_CACHE_ENTRIES)

  constructor(keys: KeyReader, erased: ReadonlySet<IdentityId>, forgottenUntil: number) {
    this.#keys = keys
    this.#erased = erased
    this.#forgottenUntil = forgottenUntil
  }

  add(event: RecordedEvent): void {
    const { sealed, source, id, type } = event
    this.#events += 1
    for (const part of sealed) {
      // Stands for somebody who was erased before the event came.
      if (part.blob.length === OVERHEAD_BYTES && part.blob.every((byte) => byte === 0)) continue
      this.#parts += 1
      try {
        if (this.#keys.open(part, { source, id, type }) === undefined) this.#missing(event)
        else this.#opened += 1
      } catch (error) {
        if (!(error instanceof SealBroken)) throw error
        this.#broken.add(event.position)
      }
    }
  }

  #missing({ identities, position, type }: RecordedEvent): void {
    // Of those who only took part the envelope doesn't tell whose part it is.
    const mayBeOthers = GROUP_TYPES.has(type)
    const isErased =
      position <= this.#forgottenUntil ||
      identities.some(({ id }) => this.#erased.has(id)) ||
      (mayBeOthers && this.#erased.size > 0)
    if (isErased) this.#erasedParts += 1
    else if (mayBeOthers) this.#unexplained.add(position)
    else if (identities.length > 0 && !identities.every(({ id }) => this.#isKnown(id)))
      this.#unexplained.add(position)
    else this.#lost.add(position)
  }

  #isKnown(id: IdentityId): boolean {
    const cached = this.#known.get(id)
    if (cached !== undefined) return cached
    const known = this.#keys.holdings([id]).mappings > 0
    this.#known.set(id, known)
    return known
  }

  result(): NeededKeys {
    return {
      events: this.#events,
      parts: this.#parts,
      opened: this.#opened,
      erased: this.#erasedParts,
      unexplained: this.#unexplained.places(),
      lost: this.#lost.places(),
      broken: this.#broken.places(),
    }
  }
}

class PlaceList {
  #count = 0
  #first: number | undefined
  #last: number | undefined

  add(position: number): void {
    this.#count += 1
    this.#first ??= position
    this.#last = position
  }

  places(): Places {
    return { count: this.#count, first: this.#first, last: this.#last }
  }
}
