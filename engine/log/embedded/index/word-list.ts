/** Unsigned numbers of 32 bits in a row that grow in place. */
export class WordList {
  values: Uint32Array<ArrayBuffer>
  length = 0

  constructor(capacity: number) {
    this.values = new Uint32Array(capacity)
  }

  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = new Uint32Array(this.values.length * 2)
      grown.set(this.values)
      this.values = grown
    }
    this.values[this.length++] = value
  }

  at(index: number): number {
    return this.values[index] ?? 0
  }
}
