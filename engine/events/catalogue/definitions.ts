import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import {
  amount,
  countryCode,
  currencyCode,
  day,
  finite,
  id,
  longText,
  orBlank,
  orNull,
  shape,
  text,
  timeZone,
} from '../fields.ts'

const base = { schema: 1, retention: 'governance', identities: [], normalise: {} } as const

const described = { name: orNull(text), description: orNull(longText), by: orNull(text) }

const workflow = {
  ...base,
  category: 'workflow',
  record: 'workflow_id',
  codec: shape(
    { workflow_id: id },
    { ...described, version: orNull(text), definition: t.UnknownRecord, reason: text },
  ),
} as const

/** Someone who works in this workspace, not a customer. */
const user = {
  ...base,
  category: 'user',
  record: 'user_id',
  normalise: { email: 'email' },
  codec: shape(
    { user_id: id },
    {
      name: personal(orNull(text)),
      email: personal(orNull(text)),
      role: orNull(text),
      team_id: orNull(id),
      manager_id: orNull(id),
      territory_id: orNull(id),
      time_zone: timeZone,
      active: t.boolean,
      reason: orNull(text),
    },
  ),
} as const

const team = {
  ...base,
  category: 'team',
  record: 'team_id',
  codec: shape(
    { team_id: id },
    {
      ...described,
      parent_id: orNull(id),
      manager: orNull(text),
      members: t.array(id),
      office: orNull(text),
    },
  ),
} as const

const territory = {
  ...base,
  category: 'territory',
  record: 'territory_id',
  codec: shape(
    { territory_id: id },
    { ...described, parent_id: orNull(id), team_id: orNull(id), rule: t.UnknownRecord },
  ),
} as const

const goal = {
  ...described,
  metric: orNull(text),
  owner: orNull(text),
  team_id: orNull(id),
  starts_on: orBlank(day),
  ends_on: orBlank(day),
  amount: orBlank(amount),
  currency: orNull(text),
}

const GOAL_NORMALISE = { amount: 'money', currency: 'currency' } as const

/** What a workspace decides about itself: published configuration, people who work in it, goals. */
export const definitions = {
  'segment.defined': {
    ...base,
    category: 'segment',
    record: 'segment_id',
    codec: shape({ segment_id: id, definition: t.UnknownRecord }, described),
  },
  'trait.defined': {
    ...base,
    category: 'trait',
    record: 'trait',
    codec: shape({ trait: id, definition: t.UnknownRecord }, described),
  },
  'field.defined': {
    ...base,
    category: 'field_definition',
    record: 'field_id',
    codec: shape(
      { field_id: id, object: text, field: text, type: text },
      {
        ...described,
        department: orNull(text),
        rule: orNull(text),
        /** Of a rule that goes by sources: most trusted first. */
        sources: t.array(text),
        /** Of a rule that goes by values: most restrictive first. */
        values: t.array(t.union([text, t.boolean])),
        options: t.array(text),
        archived: t.boolean,
        /** What is in use may become narrower. */
        replace: t.boolean,
      },
    ),
  },
  'object.defined': {
    ...base,
    category: 'object',
    record: 'object',
    codec: shape(
      { object: id },
      {
        ...described,
        label: orNull(text),
        department: orNull(text),
        fields: t.array(t.UnknownRecord),
        archived: t.boolean,
        /** What is in use may become narrower. */
        replace: t.boolean,
      },
    ),
  },
  'rules.published': {
    ...base,
    category: 'rules',
    record: 'kind',
    codec: shape(
      { kind: t.keyof({ survivorship: null, identity: null, qualification: null, priorities: null }) },
      { ...described, version: orNull(text), rules: t.union([t.UnknownRecord, t.UnknownArray]) },
    ),
  },
  'workflow.published': workflow,
  'workflow.paused': workflow,
  'stages.published': {
    ...base,
    category: 'stages',
    /** Absent: the workspace's only pipeline. */
    record: 'pipeline',
    codec: shape(
      {
        stages: t.array(
          shape(
            { id, label: text, probability: finite, forecast_category: text },
            { closed: t.keyof({ won: null, lost: null }) },
          ),
        ),
      },
      { ...described, pipeline: id },
    ),
  },
  'source.registered': {
    ...base,
    category: 'source',
    record: 'source',
    codec: shape(
      { source: id },
      {
        ...described,
        /** The lower number wins. */
        priority: finite,
        default_country: countryCode,
        time_zone: timeZone,
        currency: currencyCode,
      },
    ),
  },
  'model.published': {
    ...base,
    category: 'model',
    record: 'model_id',
    codec: shape(
      { model_id: id },
      {
        ...described,
        version: orNull(text),
        kind: orNull(text),
        parameters: t.UnknownRecord,
        digest: orNull(text),
      },
    ),
  },
  'target.set': {
    ...base,
    category: 'target',
    record: 'target_id',
    normalise: GOAL_NORMALISE,
    codec: shape({ target_id: id }, goal),
  },
  'quota.set': {
    ...base,
    category: 'quota',
    record: 'quota_id',
    normalise: GOAL_NORMALISE,
    codec: shape({ quota_id: id }, goal),
  },
  /** One unit of `base` is worth so many units of each currency in `rates`, from the day `valid_on`. */
  'exchange_rate.published': {
    ...base,
    category: 'exchange_rate',
    record: 'base',
    codec: shape(
      { base: currencyCode, rates: t.record(t.string, amount), valid_on: day },
      { by: orNull(text) },
    ),
  },
  'user.created': user,
  'user.updated': user,
  'user.archived': user,
  'team.created': team,
  'team.updated': team,
  'team.archived': team,
  'territory.created': territory,
  'territory.updated': territory,
  'territory.archived': territory,
} as const satisfies Readonly<Record<string, EventDefinition>>
