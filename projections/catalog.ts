import type { AnyProjection } from '../engine/projector/projection.ts'
import { activePeople } from './analytics/active-people.ts'
import { dailyEvents } from './analytics/daily-events.ts'
import { hourlyActivity } from './analytics/hourly-activity.ts'
import { revenue } from './analytics/revenue.ts'
import { profile } from './cdp/profile.ts'
import { session } from './cdp/session.ts'
import { customerOrders } from './commerce/customer-orders.ts'
import { account } from './crm/account.ts'
import { contact } from './crm/contact.ts'
import { lead } from './crm/lead.ts'
import { opportunity } from './crm/opportunity.ts'
import { pipeline } from './crm/pipeline.ts'
import { customRecord } from './custom/custom-record.ts'
import { conflict } from './governance/conflict.ts'
import { quarantine } from './governance/quarantine.ts'
import { recordConflict } from './governance/record-conflict.ts'
import { campaign } from './marketing/campaign.ts'
import { campaignMember } from './marketing/campaign-member.ts'
import { serviceCase } from './service/case.ts'

/** Every read model there is; its `name` is its place in routes and tables. */
export const projections: readonly AnyProjection[] = [
  profile,
  account,
  contact,
  lead,
  opportunity,
  pipeline,
  customerOrders,
  dailyEvents,
  activePeople,
  revenue,
  quarantine,
  session,
  campaign,
  campaignMember,
  serviceCase,
  hourlyActivity,
  conflict,
  recordConflict,
  customRecord,
]
