/** More bring little, and what waits to be written takes memory. */
export const RUN_LENGTH = 4096

/**
 * The writes in runs that are in the order of their keys, as the trees that they go to are: of two neighbours the second finds
 * its pages in the processor's caches. Writes of one key stay in their order. undefined: one was taken, none is due yet.
 */
export function* byKey<Write extends { readonly key: string }>(
  writes: Iterable<Write>,
): Generator<Write | undefined, void> {
  let run: Write[] = []
  for (const write of writes) {
    run.push(write)
    if (run.length < RUN_LENGTH) {
      yield undefined
      continue
    }
    yield* run.sort(compareKeys)
    run = []
  }
  yield* run.sort(compareKeys)
}

/** Not the order of UTF-8 bytes, but near enough. */
function compareKeys(a: { readonly key: string }, b: { readonly key: string }): number {
  if (a.key === b.key) return 0
  return a.key < b.key ? -1 : 1
}
