import type { FastifySchema } from 'fastify'
import { operation } from './openapi.ts'
import { answerSchema, array, BOOLEAN, INSTANT, INTEGER, object, STRING } from './schemas.ts'

/** What the documentation says of the scheduled pulls. */

export function pullsSchema(): FastifySchema {
  const issue = object(
    { kind: STRING, file: STRING, row: INTEGER, line: INTEGER, reason: STRING, message: STRING },
    ['kind', 'message'],
  )
  const counts = object({
    appended: INTEGER,
    duplicates: INTEGER,
    quarantined: INTEGER,
    refused: INTEGER,
    accepted: INTEGER,
  })
  const run = object(
    {
      started: INSTANT,
      finished: INSTANT,
      outcome: { type: 'string', enum: ['imported', 'nothing_new', 'partial', 'failed', 'interrupted'] },
      error: STRING,
      files: INTEGER,
      rows: INTEGER,
      refusedRows: INTEGER,
      events: counts,
      issues: {
        ...array(issue),
        description: 'The first 20; they name files, lines and columns, never what is in them.',
      },
    },
    ['started', 'finished', 'outcome', 'files', 'rows', 'refusedRows', 'events', 'issues'],
  )
  const mark = {
    anyOf: [
      object({
        kind: STRING,
        files: INTEGER,
        rows: INTEGER,
        waitingBytes: INTEGER,
        unreadable: array(issue),
      }),
      object({ kind: STRING, highWater: STRING, lastModified: STRING }, ['kind']),
    ],
    description: 'How far it has got.',
  }
  const nullable = { type: ['string', 'null'], format: 'date-time' }
  const pull = object({
    name: STRING,
    kind: { type: 'string', enum: ['folder', 'url'] },
    everySeconds: { type: 'number' },
    running: BOOLEAN,
    failures: { ...INTEGER, description: 'Runs that failed since the last that did not.' },
    lastSuccess: nullable,
    nextRun: nullable,
    mark,
    lastRun: { anyOf: [run, { type: 'null' }] },
  })
  return operation({
    tag: 'Operations',
    summary: 'The scheduled pulls: how far each has got, and what became of its last run',
    access: 'read',
    answer: answerSchema({ data: array(pull) }),
    problems: ['invalid_query'],
  })
}
