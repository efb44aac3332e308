/**
 * The recorded event with this key, if there is one among the positions that the log says may hold it. `at` reads the log.
 */
export async function findDuplicate<T extends { readonly source: string; readonly id: string }>(
  candidates: readonly number[],
  key: { readonly source: string; readonly id: string },
  at: (position: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const position of candidates) {
    const found = await at(position)
    if (found?.source === key.source && found.id === key.id) return found
  }
  return undefined
}
