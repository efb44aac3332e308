/** Numbers in a row that grow in place: emptying it keeps its memory, and no number is an object of its own. */
export class NumberList {
  values: Float64Array
  length = 0

  constructor(capacity: number) {
    this.values = new Float64Array(capacity)
  }

  push(value: number): void {
    if (this.length === this.values.length) this.#grow()
    this.values[this.length++] = value
  }

  /** 0 where there is none. */
  at(index: number): number {
    return index >= 0 && index < this.length ? (this.values[index] ?? 0) : 0
  }

  #grow(): void {
    const grown = new Float64Array(this.values.length * 2)
    grown.set(this.values)
    this.values = grown
  }
}
