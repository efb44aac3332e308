import { browsing, shopping } from './behaviour.ts'
import { campaignEvents, registerSources } from './company.ts'
import type { Calendar, SimulatedEvent } from './journal.ts'
import { DAY, HOUR, Journal, toJson } from './journal.ts'
import { subscription } from './mailing.ts'
import type { Delivery } from './noise.ts'
import { deliveriesOf } from './noise.ts'
import type { Person } from './people.ts'
import { createPeople } from './people.ts'
import { createRandom } from './random.ts'
import { buyerOf, selling } from './sales.ts'
import { complaints } from './service.ts'
import type { Story } from './story.ts'
import { storyEvents, storyOf } from './story.ts'

const YEAR_DAYS = 365
export const DEFAULT_PEOPLE = 1_200
/** Some 30 events a person, all in memory at once. */
export const MAX_PEOPLE = 20_000

export interface YearOptions {
  readonly seed: number
  /** When the year ends, ms UTC. */
  readonly end: number
  readonly people: number
}

/** A company's year, ready to be sent. The same options give the same bytes. */
export interface Year {
  readonly calendar: Calendar
  readonly people: readonly Person[]
  readonly story: Story
  /** The sources. To be acknowledged before anything else is sent. */
  readonly setup: readonly Delivery[]
  /** Everything else, in the order in which it arrives. */
  readonly deliveries: readonly Delivery[]
}

export function simulateYear({ seed, end, people: count }: YearOptions): Year {
  const calendar: Calendar = { start: end - YEAR_DAYS * DAY, end }
  const random = (label: string) => createRandom(`${seed}/${label}`)
  const people = createPeople(count, calendar, random('people'))
  const events: SimulatedEvent[] = [...campaignEvents(calendar, random('campaigns'))]
  for (const person of people) events.push(...lifeOf(person, calendar, seed))
  events.push(...storyEvents(calendar, random('story')))
  return {
    calendar,
    people,
    story: storyOf(calendar),
    setup: registerSources(calendar).map((event) => ({
      source: event.source,
      id: event.id,
      json: toJson(event),
      kind: 'event',
    })),
    deliveries: deliveriesOf(events, calendar, random('noise')),
  }
}

/** A random source of its own for each person: one more leaves the others as they are. */
function lifeOf(person: Person, calendar: Calendar, seed: number): readonly SimulatedEvent[] {
  const random = createRandom(`${seed}/${person.key}`)
  const journal = new Journal(person.key, calendar)
  browsing(journal, person, random, calendar)
  switch (person.kind) {
    case 'visitor':
      break
    case 'subscriber':
      subscription(journal, { person, since: person.firstSeen + HOUR }, random, calendar)
      break
    case 'shopper':
      shopping(journal, person, random, calendar)
      if (random.chance(0.6)) {
        subscription(journal, { person, since: person.firstSeen + 2 * HOUR }, random, calendar)
      }
      break
    case 'business': {
      const { company } = person
      if (company !== undefined) selling(journal, buyerOf(person, company, random), random, calendar)
      break
    }
  }
  complaints(journal, person, random, calendar)
  return journal.events
}
