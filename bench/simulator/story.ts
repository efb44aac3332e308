import { type Calendar, DAY, dayOf, HOUR, Journal, MINUTE, type SimulatedEvent } from './journal.ts'
import type { Random } from './random.ts'
import { MARA, OTTO, PHONES, TABLET } from './story-cast.ts'
import { becomesLead, browses, buys, complains, meetsOtto } from './story-scenes.ts'

/**
 * One customer's year, the same whatever the seed: Mara browses, downloads a whitepaper, becomes a lead, buys and
 * complains. Billing and the web disagree on her phone number. On a tablet at the fair, which Otto uses too, both
 * leave their addresses, and the two become one person.
 */
export interface Story {
  readonly email: string
  /** The other one, whom the tablet joined to her. */
  readonly otherEmail: string
  /** What billing has on file, in E.164; it prevails. */
  readonly billingPhone: string
  /** What she typed last, in E.164. */
  readonly webPhone: string
  /** Anonymous id of the tablet. */
  readonly sharedDevice: string
  /** A day (`YYYY-MM-DD`) on which she was known and had bought nothing. */
  readonly beforeBuying: string
}

/** Days before the end of the year. */
const BEFORE_BUYING = 262

export function storyOf({ end }: Calendar): Story {
  return {
    email: MARA,
    otherEmail: OTTO,
    billingPhone: PHONES.billing.replaceAll(' ', ''),
    webPhone: PHONES.web.replaceAll(' ', ''),
    sharedDevice: TABLET,
    beforeBuying: dayOf(end - BEFORE_BUYING * DAY),
  }
}

export function storyEvents(calendar: Calendar, random: Random): readonly SimulatedEvent[] {
  const at = (daysBeforeEnd: number, hour: number, minute = 0): number =>
    Math.floor(calendar.end / DAY - daysBeforeEnd) * DAY + hour * HOUR + minute * MINUTE
  const mara = new Journal('mara', calendar)
  browses(mara, random, at)
  becomesLead(mara, at)
  buys(mara, at)
  const otto = new Journal('otto', calendar)
  meetsOtto(mara, otto, at)
  complains(mara, random, at)
  return [...mara.events, ...otto.events]
}
