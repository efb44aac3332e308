import type { FastifySchema } from 'fastify'
import { ID, operation } from './openapi.ts'
import { AFTER, answerSchema, array, BOOLEAN, INSTANT, INTEGER, object, POSITION, STRING } from './schemas.ts'

/** What the documentation says of the routes that explain who is who. */

export function identitySchema(): FastifySchema {
  const identity = object({ id: STRING, namespace: STRING, value: STRING }, ['id'])
  const event = object({ id: STRING, source: STRING, type: STRING, time: INSTANT, position: POSITION })
  const rule = { type: 'string', enum: ['stated', 'steward'], description: 'stated: one event names both.' }
  const link = {
    a: STRING,
    b: STRING,
    rule,
    stated: { ...INTEGER, description: 'How many events state this link.' },
    event: { ...event, description: 'The one that the link was followed by.' },
  }
  const pair = { ...array(STRING), minItems: 2, maxItems: 2 }
  const bridge = object({
    identity: STRING,
    sides: array(array(STRING)),
    cuts: {
      type: ['array', 'null'],
      items: pair,
      description:
        'Pairs of which each needs an identity.cut to take the sides apart; null: no few cuts do it.',
    },
  })
  const data = object({
    id: STRING,
    rules: object({ version: STRING, limits: { type: 'object' }, maxIdentities: INTEGER }),
    complete: { ...BOOLEAN, description: 'false: some identity has more events than one answer reads.' },
    identities: { ...array(identity), description: 'Without a value: erased.' },
    links: { ...array(object(link)), description: 'What holds the profile together, in the order followed.' },
    cuts: { ...array(object({ a: STRING, b: STRING, event })), description: 'Cuts in force.' },
    bridges: {
      ...array(bridge),
      description: 'Phones, browsers and devices that alone hold several people together.',
    },
    refused: {
      ...array(object({ ...link, other: identity, reason: STRING, detail: STRING }, ['a', 'b', 'other'])),
      description: "Links that weren't followed, and what stands in their way now.",
    },
    refusedCount: INTEGER,
  })
  return operation({
    tag: 'Profiles',
    summary: 'Which identities make up a profile, and which events say so',
    access: 'read',
    params: ID,
    query: object({ after: AFTER }, []),
    answer: answerSchema({ data }),
    problems: ['invalid_query', 'not_found', 'history_too_large', 'position_not_reached'],
  })
}
