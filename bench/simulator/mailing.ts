import { campaignsOf } from './company.ts'
import type { Calendar } from './journal.ts'
import { DAY, HOUR, type Journal, MINUTE } from './journal.ts'
import type { Person } from './people.ts'
import type { Random } from './random.ts'

/** Consent, newsletters, and what people do with them. */

interface Subscription {
  readonly person: Person
  /** ms UTC */
  readonly since: number
}

/** Gives consent, then gets every mail campaign from then on, until told to stop. */
export function subscription(
  journal: Journal,
  { person, since }: Subscription,
  random: Random,
  calendar: Calendar,
): void {
  const { email, anonymousId } = person
  journal.add('web', since, 'marketing.form_submitted', {
    form_id: 'newsletter',
    form_name: 'Newsletter',
    email,
    anonymous_id: anonymousId,
  })
  journal.add('marketing', since + MINUTE, 'consent.granted', {
    purpose: 'newsletter',
    basis: 'consent',
    channel: 'email',
    email,
    evidence: { form: 'newsletter', double_opt_in: true },
  })
  for (const campaign of campaignsOf(calendar)) {
    if (campaign.channel !== 'email' || campaign.launched < since) continue
    const at = campaign.launched + random.between(0, 2 * HOUR)
    if (!mailed(journal, { person, random, at, campaign })) return
  }
}

/** One mail and what came of it; false: they want no more. */
function mailed(
  journal: Journal,
  mail: {
    readonly person: Person
    readonly random: Random
    readonly at: number
    readonly campaign: { readonly id: string; readonly name: string }
  },
): boolean {
  const { person, random, at, campaign } = mail
  const { email, key } = person
  const about = {
    email,
    email_id: `${campaign.id}-${key}`,
    campaign_id: campaign.id,
    campaign_name: campaign.name,
  }
  const member = { campaign_id: campaign.id, email, channel: 'email' }
  journal.add('marketing', at, 'marketing.message_sent', {
    ...member,
    template: 'newsletter',
    purpose: 'newsletter',
  })
  if (random.chance(0.03)) {
    journal.add('marketing', at + MINUTE, 'Email Bounced', { ...about, reason: 'mailbox full' })
    return true
  }
  journal.add('marketing', at + MINUTE, 'Email Delivered', about)
  if (!random.chance(0.45)) return true
  const opened = at + random.between(5 * MINUTE, 2 * DAY)
  journal.add('marketing', opened, 'Email Opened', about)
  if (random.chance(0.3)) {
    journal.add('marketing', opened + MINUTE, 'Email Link Clicked', { ...about, link_id: 'offer' })
    journal.add('marketing', opened + 2 * MINUTE, 'marketing.campaign_member_status_changed', {
      ...member,
      from: 'sent',
      to: 'responded',
    })
  }
  if (!random.chance(0.05)) return true
  journal.add('marketing', opened + 3 * MINUTE, 'Unsubscribed', about)
  journal.add('marketing', opened + 3 * MINUTE, 'consent.revoked', {
    purpose: 'newsletter',
    channel: 'email',
    email,
    reason: 'unsubscribed',
  })
  return false
}
