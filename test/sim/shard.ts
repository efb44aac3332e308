import assert from 'node:assert/strict'

/** Which part of a long run is to be done: `3/8` is the third of eight; absent: all of it. `shard` counts from 0. */
export function shardOf(stated: string | undefined): { readonly shard: number; readonly of: number } {
  if (stated === undefined) return { shard: 0, of: 1 }
  const [, number, of] = (/^(\d+)\/(\d+)$/.exec(stated) ?? []).map(Number)
  assert(number !== undefined && of !== undefined && number >= 1 && number <= of, `no shard: ${stated}`)
  return { shard: number - 1, of }
}
