import { AGENTS } from './company.ts'
import type { Calendar } from './journal.ts'
import { DAY, HOUR, type Journal, MINUTE } from './journal.ts'
import type { Person } from './people.ts'
import type { Random } from './random.ts'

/** Complaints and questions, from the first mail to the survey. */

const SUBJECTS = [
  ['The machine leaks', 'problem', 'high', 'machines'],
  ['Grinder is too loud', 'problem', 'medium', 'machines'],
  ['Where is my parcel?', 'question', 'medium', 'delivery'],
  ['Wrong beans in the box', 'return', 'medium', 'delivery'],
  ['How do I change the water filter?', 'question', 'low', 'parts'],
  ['No hot water since this morning', 'problem', 'critical', 'machines'],
] as const

const CHANNELS = ['mail', 'phone', 'web', 'chat'] as const

/** How many cases somebody of this kind opens in a year, as a chance for each of two. */
const TROUBLE = { visitor: 0, subscriber: 0, shopper: 0.12, business: 0.35 } as const

export function complaints(journal: Journal, person: Person, random: Random, calendar: Calendar): void {
  for (const number of [1, 2]) {
    if (!random.chance(TROUBLE[person.kind])) continue
    const since = person.firstSeen + 20 * DAY
    const opened = random.between(since, Math.max(calendar.end, since + DAY))
    oneCase(journal, person, random, { caseId: `case-${person.key.slice(1)}-${number}`, opened })
  }
}

function oneCase(
  journal: Journal,
  person: Person,
  random: Random,
  { caseId, opened }: { readonly caseId: string; readonly opened: number },
): void {
  const [subject, type, priority, category] = random.pick(SUBJECTS)
  const about = { case_id: caseId, email: person.email }
  const owner = random.pick(AGENTS)
  const channel = random.pick(CHANNELS)
  journal.add('support', opened, 'case.opened', {
    ...about,
    ...(person.company === undefined ? {} : { account_id: person.company.accountId }),
    subject,
    type,
    priority,
    category,
    channel,
    status: 'new',
    queue: category === 'machines' ? 'technicians' : 'first line',
  })
  journal.add('support', opened + 5 * MINUTE, 'case.assigned', { ...about, owner, status: 'assigned' })
  const responded = opened + random.between(20 * MINUTE, 2 * DAY)
  journal.add('support', responded, 'case.responded', { ...about, owner, channel, status: 'working' })
  if (priority === 'critical' || random.chance(0.1)) {
    journal.add('support', responded + HOUR, 'case.escalated', {
      ...about,
      from: 'first line',
      to: 'technicians',
    })
  }
  if (random.chance(0.3)) {
    journal.add('support', responded + 3 * HOUR, 'case.waiting', {
      ...about,
      status: 'waiting',
      reason: 'part',
    })
  }
  if (random.chance(0.12)) return
  const resolved = responded + random.between(HOUR, 9 * DAY)
  journal.add('support', resolved, 'case.resolved', { ...about, status: 'resolved', resolution: 'solved' })
  journal.add('support', resolved + 3 * DAY, 'case.closed', { ...about, status: 'closed' })
  if (!random.chance(0.5)) return
  const score = random.weighted([
    [5, 6],
    [4, 4],
    [3, 2],
    [2, 1],
    [1, 1],
  ] as const)
  journal.add('support', resolved + 4 * DAY, 'csat.submitted', {
    ...about,
    score,
    scale: 5,
    survey: 'after a case',
  })
}
