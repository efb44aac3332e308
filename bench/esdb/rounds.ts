/** One who is measured: events per second of a turn. */
export interface Contender {
  readonly name: string
  readonly turn: () => Promise<number>
}

/** Events per second of each contender, one rate a round. */
export type Rates = ReadonlyMap<string, readonly number[]>

/** Round by round, each in turn; who begins rotates. The first round warms up and doesn't count. `enough` may end it after one that does. */
export async function interleave(
  contenders: readonly Contender[],
  rounds: number,
  enough: () => boolean,
): Promise<Rates> {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds && !(round > 1 && enough()); round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + round) % contenders.length]
      if (contender === undefined) continue
      const rate = await contender.turn()
      if (round > 0) rates.get(contender.name)?.push(rate)
    }
  }
  return rates
}
