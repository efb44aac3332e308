import { golden } from './cdp/profile-fields.ts'
import { accountRecord } from './crm/account.ts'
import { contactRecord } from './crm/contact.ts'
import { dealRecord } from './crm/deal.ts'
import { leadRecord } from './crm/lead.ts'
import { campaignRecord } from './marketing/campaign.ts'
import { caseRecord } from './service/case.ts'
import type { ViewSpec } from './survivorship.ts'

/** A view whose fields rules and stewards may govern, for whoever writes rules or decisions. */
export interface GovernedView extends ViewSpec {
  /** The projection that shows its conflicts. */
  readonly conflicts: 'conflict' | 'record_conflict'
  /** Of the identity that a record's key is. */
  readonly namespace?: string | undefined
  isDecidable(field: string): boolean
  /** A decision's value as the field holds it; undefined: it can't. */
  read(field: string, value: unknown): unknown
}

const records = [accountRecord, contactRecord, leadRecord, dealRecord, caseRecord, campaignRecord]

export const GOVERNED_VIEWS: readonly GovernedView[] = [
  { ...golden, conflicts: 'conflict' },
  ...records.map(({ fields, namespace }) => ({
    ...fields,
    conflicts: 'record_conflict' as const,
    namespace,
  })),
]
