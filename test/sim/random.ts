import assert from 'node:assert/strict'
import { generator } from '../faults/survival.ts'

/** The one source of chance in a simulation: everything follows from its seed. */
export class Random {
  readonly #below: (limit: number) => number

  constructor(seed: number) {
    this.#below = generator(seed)
    // Neighbouring seeds begin alike.
    this.#below(1)
  }

  /** 0 … limit − 1. */
  below(limit: number): number {
    return this.#below(limit)
  }

  /** Both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  percent(chance: number): boolean {
    return this.below(100) < chance
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    assert(item !== undefined, 'picked from something')
    return item
  }

  /** `size` hexadecimal digits. */
  hex(size: number): string {
    let text = ''
    while (text.length < size) text += this.below(16).toString(16)
    return text
  }
}

/** A seed of its own for a part of a simulation, so that a script with some steps left out goes as before in the others. */
export function seedOf(seed: number, part: number): number {
  return Math.imul(seed ^ Math.imul(part + 1, 0x9e3779b1), 0x85ebca6b) >>> 0
}
