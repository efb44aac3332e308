import type { Fields, LinkageRecord } from '../../../engine/identity/linkage/model.ts'
import { SeededRandom } from '../../../engine/identity/linkage/random.ts'

/** Made-up people, some of them recorded several times with slips. */

export const PERSON_FIELDS: Fields = {
  first: 'given_name',
  last: 'surname',
  born: 'birth_date',
  phone: 'phone',
  town: 'place',
}

const FIRST =
  'anna ben carla david elena frank grace henry irene jakob karin luis maria nils olga peter'.split(' ')
const LAST =
  'adler brandt castro dupont eriksen fischer garcia horvat ivanov jensen keller lindberg moreau novak olsen petrov quist rossi schmidt takacs'.split(
    ' ',
  )
const TOWNS = 'bergen bristol cologne gdansk lisbon malmo'.split(' ')

/** `source` is 'a' for the first record of each person, 'b' for others. The person's number begins the id. */
export function madeUpPeople(people: number, repeated: number, seed: number): readonly LinkageRecord[] {
  const random = new SeededRandom(seed)
  const pick = (from: readonly string[]): string => from[random.below(from.length)] ?? ''
  const records: LinkageRecord[] = []
  for (let person = 0; person < people; person++) {
    const values = {
      first: pick(FIRST),
      last: pick(LAST),
      born: `${1940 + random.below(70)}-${two(1 + random.below(12))}-${two(1 + random.below(28))}`,
      phone: `0${100_000_000 + random.below(800_000_000)}`,
      town: pick(TOWNS),
    }
    records.push({ id: `${person}-0`, source: 'a', values })
    if (person < repeated) records.push({ id: `${person}-1`, source: 'b', values: withSlips(values, random) })
  }
  return records
}

type Values = Readonly<Record<string, string>>

function withSlips(values: Values, random: SeededRandom): Readonly<Record<string, string | undefined>> {
  const slipped: Record<string, string | undefined> = { ...values }
  for (const field of ['last', 'phone', 'town']) {
    const chance = random.below(10)
    if (chance === 0) slipped[field] = undefined
    if (chance === 1) slipped[field] = doubled(values[field] ?? '', random)
  }
  if (random.below(10) === 0) [slipped['first'], slipped['last']] = [slipped['last'], slipped['first']]
  return slipped
}

function doubled(text: string, random: SeededRandom): string {
  const at = random.below(text.length)
  return text.slice(0, at) + text[at] + text.slice(at)
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
