import type { Configuration } from '../engine/projector/projection.ts'
import { goldIn } from './cdp/profile.ts'
import { golden } from './cdp/profile-fields.ts'
import { accountRecord } from './crm/account.ts'
import { contactRecord } from './crm/contact.ts'
import { dealRecord } from './crm/deal.ts'
import { leadRecord } from './crm/lead.ts'
import { objectRecords } from './custom/object-record.ts'
import { campaignRecord } from './marketing/campaign.ts'
import { perConfiguration, recordUnder } from './record-view.ts'
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

interface Governing {
  readonly fields: Omit<GovernedView, 'conflicts' | 'namespace'>
  readonly namespace?: string | undefined
}

const records: readonly (Governing & { under(config: Configuration): { readonly record: Governing } })[] = [
  { ...accountRecord, under: recordUnder(accountRecord) },
  { ...contactRecord, under: recordUnder(contactRecord) },
  { ...leadRecord, under: recordUnder(leadRecord) },
  { ...dealRecord, under: recordUnder(dealRecord) },
  { ...caseRecord, under: recordUnder(caseRecord) },
  { ...campaignRecord, under: recordUnder(campaignRecord) },
]

/** Without what a workspace has defined. */
export const GOVERNED_VIEWS: readonly GovernedView[] = [
  { ...golden, conflicts: 'conflict' },
  ...records.map(viewOf),
]

/**
 * With defined fields, and with a view for each defined object: its name is the object's, its records' keys in decisions are
 * those of `custom_record`.
 */
export const governedViews: (config: Configuration) => readonly GovernedView[] = perConfiguration(
  (config) => [
    { ...goldIn(config).golden, conflicts: 'conflict' },
    ...records.map(({ under }) => viewOf(under(config).record)),
    ...objectRecords(config).map(({ record }) => viewOf(record)),
  ],
)

function viewOf({ fields, namespace }: Governing): GovernedView {
  return { ...fields, conflicts: 'record_conflict', namespace }
}
