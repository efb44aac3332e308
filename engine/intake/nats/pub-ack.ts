import type { IntakeResult, Refusal } from '../result.ts'

/** The answer that every JetStream publisher understands; `results` stands beside it for those who look. */
export type PubAck =
  | {
      readonly stream: string
      readonly seq: number
      readonly duplicate?: true
      readonly results: readonly IntakeResult[]
    }
  | {
      readonly error: { readonly code: number; readonly err_code: number; readonly description: string }
      readonly results: readonly IntakeResult[]
    }

export function pubAck(workspace: string, results: readonly IntakeResult[]): PubAck {
  let seq = 0
  let duplicates = 0
  for (const result of results) {
    if (result.status === 'refused') return { error: pubError(result.refusal), results }
    seq = Math.max(seq, result.position)
    if (result.status === 'duplicate') duplicates += 1
  }
  const ack = { stream: `headwater_${workspace}`, seq, results }
  return duplicates === results.length && duplicates > 0 ? { ...ack, duplicate: true } : ack
}

/** Codes of nats-server's own JetStream API: 10071 wrong last sequence, 10023 insufficient resources. */
function pubError(refusal: Refusal): { code: number; err_code: number; description: string } {
  switch (refusal.code) {
    case 'wrong_expected':
      return { code: 400, err_code: 10071, description: `wrong last sequence: ${refusal.actualPosition}` }
    case 'overloaded':
    case 'clock_jumped':
    case 'read_only':
    case 'stopped':
    case 'log_damaged':
      return { code: 503, err_code: 10023, description: refusal.message }
    case 'forbidden':
      return { code: 403, err_code: 0, description: refusal.message }
  }
}

/** An answer that the server would refuse for its size does without the results: it says as much as a PubAck must. */
const MAX_ACK_BYTES = 512 * 1024

export function encodeAck(ack: PubAck): Uint8Array {
  const whole = JSON.stringify(ack)
  // Most are small, and memory from Buffer's pool costs half of what an encoder's own does.
  if (whole.length <= MAX_ACK_BYTES) return Buffer.from(whole)
  const { results: _left, ...short } = ack
  return Buffer.from(JSON.stringify(short))
}
