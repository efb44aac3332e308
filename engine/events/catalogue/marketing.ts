import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import { amount, day, id, instant, longText, looseId, orBlank, orNull, shape, text } from '../fields.ts'
import {
  currency,
  money,
  PERSON_IDENTITIES,
  PERSON_NORMALISE,
  person,
  SPEC_IDENTITIES,
  SPEC_NORMALISE,
  specPerson,
} from './shared.ts'

/** Segment's email spec. Subjects and links often carry a name or a token. */
const email = {
  schema: 1,
  category: 'profile',
  retention: 'behaviour',
  identities: SPEC_IDENTITIES,
  normalise: SPEC_NORMALISE,
  codec: t.partial({
    ...specPerson,
    email_id: orNull(looseId),
    email_subject: personal(orNull(text)),
    campaign_id: orNull(looseId),
    campaign_name: orNull(text),
    list_id: orNull(looseId),
    list_name: orNull(text),
    link_id: orNull(looseId),
    link_url: personal(orNull(text)),
    reason: orNull(text),
  }),
} as const

const touch = {
  schema: 1,
  category: 'profile',
  retention: 'behaviour',
  identities: PERSON_IDENTITIES,
  normalise: PERSON_NORMALISE,
} as const

const reached = { ...person, company: personal(orNull(text)), campaign_id: orNull(id) }

const toucher = { ...reached, channel: orNull(text) }

const campaign = {
  schema: 1,
  category: 'campaign',
  record: 'campaign_id',
  retention: 'behaviour',
  identities: [],
  normalise: { budget: 'money', currency: 'currency' },
  codec: shape(
    { campaign_id: id },
    {
      name: orNull(text),
      channel: orNull(text),
      type: orNull(text),
      status: orNull(text),
      owner: orNull(text),
      parent_id: orNull(id),
      starts_on: orBlank(day),
      ends_on: orBlank(day),
      budget: money,
      currency,
      segment_id: orNull(id),
      reason: orNull(text),
    },
  ),
} as const

const journey = {
  ...touch,
  codec: shape(
    { journey_id: id },
    { ...toucher, step: orNull(text), from: orNull(text), version: orNull(text), reason: orNull(text) },
  ),
} as const

const experiment = {
  schema: 1,
  category: 'experiment',
  record: 'experiment_id',
  retention: 'behaviour',
  identities: [],
  normalise: {},
  codec: shape(
    { experiment_id: id },
    {
      name: orNull(text),
      hypothesis: orNull(longText),
      metric: orNull(text),
      variants: t.array(shape({ variant: id }, { weight: orBlank(amount) })),
      winner: orNull(text),
      reason: orNull(text),
      by: orNull(text),
    },
  ),
} as const

/** Messages, campaigns, journeys, experiments, and what they cost. */
export const marketing = {
  'Email Delivered': email,
  'Email Opened': email,
  'Email Link Clicked': email,
  'Email Bounced': email,
  'Email Marked as Spam': email,
  Unsubscribed: email,
  'marketing.message_sent': {
    ...touch,
    codec: shape(
      { channel: text },
      {
        ...reached,
        message_id: orNull(id),
        template: orNull(text),
        journey_id: orNull(id),
        purpose: orNull(text),
        /** Why this message was allowed: the consent event, or another basis. */
        consent: personal(t.union([t.UnknownRecord, text, t.null])),
        content: personal(orNull(longText)),
      },
    ),
  },
  'marketing.form_submitted': {
    ...touch,
    codec: shape(
      { form_id: id },
      {
        ...toucher,
        form_name: orNull(text),
        page: personal(orNull(text)),
        fields: personal(orNull(t.UnknownRecord)),
      },
    ),
  },
  'marketing.asset_downloaded': {
    ...touch,
    codec: shape({ asset_id: id }, { ...toucher, asset_name: orNull(text), asset_type: orNull(text) }),
  },
  'marketing.webinar_attended': {
    ...touch,
    codec: shape(
      { webinar_id: id },
      { ...toucher, webinar_name: orNull(text), minutes: orBlank(amount), joined_at: orBlank(instant) },
    ),
    normalise: { ...PERSON_NORMALISE, joined_at: 'instant' },
  },
  'marketing.campaign_created': campaign,
  'marketing.campaign_launched': campaign,
  'marketing.campaign_completed': campaign,
  'marketing.campaign_member_status_changed': {
    ...touch,
    codec: shape(
      { campaign_id: id, to: text },
      {
        ...person,
        from: orNull(text),
        channel: orNull(text),
        /** Whether the person answered by this; absent: as the status's word is commonly understood. */
        responded: t.boolean,
        coupon: orNull(text),
      },
    ),
  },
  'marketing.journey_entered': journey,
  'marketing.journey_advanced': journey,
  'marketing.journey_exited': journey,
  'marketing.spend_recorded': {
    schema: 1,
    category: 'spend',
    record: 'channel',
    retention: 'transaction',
    identities: [],
    normalise: { amount: 'money', currency: 'currency' },
    codec: shape(
      { channel: id, amount },
      {
        currency,
        campaign_id: orNull(id),
        spent_on: orBlank(day),
        clicks: orBlank(amount),
        impressions: orBlank(amount),
      },
    ),
  },
  'experiment.started': experiment,
  'experiment.ended': experiment,
  'experiment.assigned': {
    ...touch,
    codec: shape({ experiment_id: id, variant: id }, { ...person, account_id: personal(orNull(id)) }),
    identities: [...PERSON_IDENTITIES, ['account', 'account_id']],
  },
} as const satisfies Readonly<Record<string, EventDefinition>>
