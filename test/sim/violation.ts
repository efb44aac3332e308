/** Something that must always hold doesn't. */
export class Violation extends Error {}

export function must(holds: boolean, why: () => string): asserts holds {
  if (!holds) throw new Violation(why())
}
