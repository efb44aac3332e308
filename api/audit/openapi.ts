import type { FastifySchema } from 'fastify'
import { operation } from '../openapi.ts'
import { array, INTEGER, type JsonSchema, object, POSITION, STRING } from '../schemas.ts'

/** What the documentation says of the proofs. */

const TAG = 'Audit'

function inText(description: string): JsonSchema {
  return { content: { 'text/plain': { schema: { ...STRING, description } } } }
}

export function checkpointSchema(): FastifySchema {
  return operation({
    tag: TAG,
    summary: 'The newest signed tree head, to be kept elsewhere',
    description:
      'A checkpoint as in https://c2sp.org/tlog-checkpoint: log name, number of events, root; signed (Ed25519).',
    access: 'read',
    answer: inText('A signed note.'),
    problems: ['invalid_query', 'not_found', 'audit_unavailable'],
  })
}

export function keySchema(): FastifySchema {
  return operation({
    tag: TAG,
    summary: 'The key that verifies tree heads',
    access: 'read',
    answer: inText('A verifier key as in https://c2sp.org/signed-note.'),
    problems: ['invalid_query', 'audit_unavailable'],
  })
}

export function tileSchema(): FastifySchema {
  const bytes = { content: { 'application/octet-stream': { schema: { ...STRING, format: 'binary' } } } }
  return operation({
    tag: TAG,
    summary: 'A tile of the Merkle tree, or a bundle of its entries',
    description:
      'Paths as in https://c2sp.org/tlog-tiles, its prefix being /v1/audit: `tile/0/x001/234`, `tile/entries/000.p/7`.',
    access: 'read',
    params: object({
      '*': { ...STRING, description: 'Level and index, `.p/` and width where it is partial.' },
    }),
    answer: bytes,
    problems: ['invalid_query', 'not_found', 'history_changed', 'audit_unavailable'],
  })
}

const HASHES = { ...array(STRING), description: 'Hashes of 32 bytes, in base64, from the leaves upwards.' }
const SIZE = { ...INTEGER, minimum: 1 }

export function proofSchema(): FastifySchema {
  return operation({
    tag: TAG,
    summary: 'That an event is in the log: a proof bundle',
    description: 'The body is what `headwater audit verify` takes; every byte of it counts.',
    access: 'read',
    params: object({ position: POSITION }),
    query: object(
      {
        size: {
          ...SIZE,
          description: 'The tree that the path shall lead to; default that of the newest tree head.',
        },
      },
      [],
    ),
    answer: object({
      format: STRING,
      position: POSITION,
      leafIndex: { ...INTEGER, description: 'The event is number leafIndex of the log, counted from 0.' },
      event: { ...STRING, description: 'Its stored bytes, in base64.' },
      entry: { ...STRING, description: 'position (8 bytes) and SHA-256 of the stored bytes, in base64.' },
      path: HASHES,
      treeHead: { ...STRING, description: 'The newest signed note.' },
    }),
    problems: ['invalid_query', 'not_found', 'history_changed', 'audit_unavailable'],
  })
}

export function consistencySchema(): FastifySchema {
  return operation({
    tag: TAG,
    summary: 'That a smaller tree is the beginning of a larger one',
    access: 'read',
    query: object(
      {
        from: { ...SIZE, description: 'Size of the smaller tree.' },
        to: { ...SIZE, description: 'Size of the larger one; default that of the newest tree head.' },
      },
      ['from'],
    ),
    answer: object({
      from: SIZE,
      to: SIZE,
      path: HASHES,
      treeHead: { ...STRING, description: 'The newest signed note.' },
    }),
    problems: ['invalid_query', 'not_found', 'history_changed', 'audit_unavailable'],
  })
}
