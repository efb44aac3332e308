import type { Calendar } from './journal.ts'
import type { Random } from './random.ts'

/** Everybody is made up, and can be seen to be: addresses end in names that RFC 2606 keeps for examples. */

export interface Company {
  readonly accountId: string
  readonly name: string
  readonly domain: string
  readonly industry: string
  readonly country: string
}

export interface Person {
  /** Names the person in ids: `p00042`. */
  readonly key: string
  readonly firstName: string
  readonly lastName: string
  readonly email: string
  /** In international form; absent: nobody knows it. */
  readonly phone: string | undefined
  /** What billing has on file where that is another number. */
  readonly billingPhone: string | undefined
  readonly anonymousId: string
  readonly country: string
  readonly currency: 'GBP' | 'EUR'
  /** `visitor`: never says who they are. `business`: buys for a company. */
  readonly kind: 'visitor' | 'subscriber' | 'shopper' | 'business'
  readonly company: Company | undefined
  /** ms UTC */
  readonly firstSeen: number
}

// biome-ignore format: a list reads better across
const FIRST_NAMES = [
  'Ada', 'Bram', 'Cleo', 'Dario', 'Edda', 'Finn', 'Greta', 'Hugo', 'Ilse', 'Jonas', 'Kaia', 'Linus', 'Maeve', 'Nils',
  'Odette', 'Pavel', 'Quinn', 'Runa', 'Silas', 'Tove', 'Ursa', 'Viggo', 'Wren', 'Xenia', 'Yara', 'Zeno',
]
// biome-ignore format: a list reads better across
const LAST_NAMES = [
  'Applebarrow', 'Bramblewick', 'Candleford', 'Dapplemoor', 'Emberlane', 'Featherstoneby', 'Gullwing', 'Hazelthwaite',
  'Inkpenny', 'Juniperhill', 'Kettleburn', 'Larkwhistle', 'Mossgrove', 'Nettlecombe', 'Oatfield', 'Pebblewater',
  'Quillfeather', 'Rookhaven', 'Saltmarsh', 'Thistledown', 'Umberleigh', 'Velvetbrook', 'Willowmere', 'Yarrowby',
]
// biome-ignore format: a list reads better across
const CAFES = [
  'Anchor', 'Bluebell', 'Copperpot', 'Driftwood', 'Ember', 'Foxglove', 'Gooseberry', 'Hollyhock', 'Ivory Spoon',
  'Jackdaw', 'Kingfisher', 'Lantern', 'Marigold', 'Nutmeg', 'Otter', 'Paper Moon', 'Quince', 'Red Kite', 'Saffron',
  'Tin Kettle', 'Umbrella', 'Violet', 'Wagtail', 'Yellow Door',
]
const VENUES = ['Café', 'Coffee House', 'Bakery', 'Kitchen', 'Canteen', 'Tea Rooms'] as const
const INDUSTRIES = ['cafés', 'restaurants', 'hotels', 'offices', 'bakeries'] as const
const EXAMPLE_DOMAINS = ['example.com', 'example.org', 'example.net'] as const

/** Blocks of 1,000 numbers that Ofcom keeps for drama: nobody answers there. */
// biome-ignore format: a list reads better across
const DRAMA_BLOCKS = [
  '20 7946 0', '113 496 0', '114 496 0', '116 496 0', '117 496 0', '121 496 0', '131 496 0', '141 496 0',
  '151 496 0', '161 496 0', '191 498 0', '29 2018 0', '28 9649 6',
]

/** A number is an identity: the same one twice would make one person of two. undefined: none is left. */
export function dramaPhone(index: number): string | undefined {
  const block = DRAMA_BLOCKS[index % DRAMA_BLOCKS.length]
  const within = Math.floor(index / DRAMA_BLOCKS.length)
  return within > 999 ? undefined : `+44 ${block}${String(within).padStart(3, '0')}`
}

/** Numbers below this are the story's. */
const FIRST_FREE_PHONE = 10

const KINDS = [
  ['visitor', 40],
  ['subscriber', 18],
  ['shopper', 28],
  ['business', 14],
] as const satisfies readonly (readonly [Person['kind'], number])[]

export function createPeople(count: number, calendar: Calendar, random: Random): readonly Person[] {
  const addresses = new Map<string, number>()
  let phones = FIRST_FREE_PHONE
  const phone = (probability: number): string | undefined =>
    random.chance(probability) ? dramaPhone(phones++) : undefined
  const companies = createCompanies(random)
  return Array.from({ length: count }, (_, index) => {
    const kind = random.weighted(KINDS)
    const firstName = random.pick(FIRST_NAMES)
    const lastName = random.pick(LAST_NAMES)
    const company = kind === 'business' ? companies() : undefined
    const domain = company?.domain ?? random.pick(EXAMPLE_DOMAINS)
    const number = String(index + 1).padStart(5, '0')
    const own = kind === 'visitor' ? undefined : phone(0.6)
    const country = company?.country ?? random.weighted(COUNTRIES)
    return {
      key: `p${number}`,
      firstName,
      lastName,
      email: unique(addresses, `${firstName}.${lastName}`.toLowerCase(), domain),
      phone: own,
      billingPhone: own !== undefined && random.chance(0.08) ? (phone(1) ?? own) : own,
      anonymousId: `anon-${number}`,
      country,
      currency: country === 'GB' ? 'GBP' : 'EUR',
      kind,
      company,
      firstSeen: firstSeen(calendar, random),
    }
  })
}

const COUNTRIES = [
  ['GB', 82],
  ['IE', 9],
  ['FR', 5],
  ['DE', 4],
] as const

/** Business grows: the second half of the year brings more people than the first. */
function firstSeen({ start, end }: Calendar, random: Random): number {
  return start + (end - start) * random.next() ** 0.8
}

function unique(taken: Map<string, number>, local: string, domain: string): string {
  const times = (taken.get(`${local}@${domain}`) ?? 0) + 1
  taken.set(`${local}@${domain}`, times)
  return times === 1 ? `${local}@${domain}` : `${local}.${times}@${domain}`
}

/** The next person's company: now and then a colleague of the one before. */
function createCompanies(random: Random): () => Company {
  let count = 0
  let last: Company | undefined
  return () => {
    if (last !== undefined && random.chance(0.2)) return last
    count += 1
    const name = `${random.pick(CAFES)} ${random.pick(VENUES)}`
    const slug = name.toLowerCase().replaceAll('é', 'e').replaceAll(' ', '-')
    last = {
      accountId: `A-${String(count).padStart(4, '0')}`,
      name,
      domain: `${slug}-${count}.example`,
      industry: random.pick(INDUSTRIES),
      country: random.weighted(COUNTRIES),
    }
    return last
  }
}

/** As somebody types it into a form: without the country, which the source's own stands for. */
export function typedPhone(phone: string): string {
  return phone.replace('+44 ', '0')
}
