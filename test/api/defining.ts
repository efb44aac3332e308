import { expect } from 'vitest'
import { WRITE_KEY_HEADER } from '../../api/security.ts'
import type { LivingWorld } from '../history/living-world.ts'
import { AS_READER, WRITE_KEY } from './world.ts'

/** Whoever defines fields and objects over HTTP, with read token and write key. */

interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: answers of many routes, looked at member by member.
  readonly body: any
}

const AS_BOTH = { ...AS_READER, [WRITE_KEY_HEADER]: WRITE_KEY }

export function defining(world: () => LivingWorld) {
  const admin = async (method: 'POST' | 'DELETE', path: string, body?: object): Promise<Answer> => {
    const json = { headers: { ...AS_BOTH, 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const sent = body === undefined ? { headers: AS_BOTH } : json
    const answer = await fetch(`${world().env.HEADWATER_URL}${path}`, { method, ...sent })
    return { status: answer.status, body: await answer.json() }
  }
  return {
    admin,
    /** Posts a definition; where the log has it. */
    async define(path: string, body: object): Promise<number> {
      const answer = await admin('POST', path, body)
      expect(answer).toMatchObject({ status: 200 })
      return answer.body.data.event.position
    },
    async archive(path: string): Promise<number> {
      const answer = await admin('DELETE', path)
      expect(answer).toMatchObject({ status: 200 })
      return answer.body.data.event.position
    },
  }
}

export const lead = (id: string, leadId: string, time: string, data: object, source = 'crm') => ({
  ...{ id, source, type: 'lead.created', time },
  data: { lead_id: leadId, email: `${leadId.toLowerCase()}@example.com`, ...data },
})

export const LEADS = [
  lead('1', 'L1', '2025-02-01T10:00:00Z', { shoe_size: 42, name: 'Ann' }),
  lead('2', 'L2', '2025-02-02T10:00:00Z', { shoe_size: 39, name: 'Bob' }),
  lead('3', 'L3', '2025-02-03T10:00:00Z', { name: 'Cid' }),
]

export const SHOE_SIZE = {
  ...{ object: 'lead', field: 'shoe_size', type: 'integer' },
  ...{ description: 'What shoes to send.', department: 'Retail', by: 'kim' },
}
