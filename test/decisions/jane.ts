import { WRITE_KEY_HEADER } from '../../api/security.ts'
import { AS_READER, WRITE_KEY } from '../api/world.ts'
import type { LivingWorld } from '../history/living-world.ts'

/** Jane, about whose phone number billing and the web disagree, and a steward who reads and decides over HTTP. */

export const JANE = 'email:jane@example.com'
export const ERP_PHONE = '+442079460018'
export const WEB_PHONE = '+442079460999'

export const source = (name: string, priority: number) => ({
  ...{ id: `s-${name}`, source: name, type: 'source.registered', time: '2025-01-01T00:00:00Z' },
  data: { source: name, priority },
})
export const signsIn = (id: string, time: string, traits: object, more: object = {}) => ({
  ...{ id, source: 'web', type: 'cdp.identify', time, data: { anonymousId: 'b1', traits } },
  ...more,
})
export const orders = (id: string, time: string, phone: string, more: object = {}) => ({
  ...{ id, source: 'erp', type: 'order.placed', time },
  data: {
    order_id: id,
    customer_id: '17850',
    email: 'jane@example.com',
    phone,
    total: '1.00',
    currency: 'GBP',
  },
  ...more,
})
export const disagreement = [
  source('erp', 1),
  source('web', 2),
  orders('o1', '2025-02-02T10:00:00Z', ERP_PHONE),
  signsIn('w1', '2025-06-11T10:00:00Z', { email: 'jane@example.com', phone: WEB_PHONE, plan: 'gold' }),
]

interface Answered {
  readonly to: { readonly value: unknown }
  readonly changes: readonly unknown[]
  readonly problems: readonly { readonly code: string }[]
}

export function steward(world: () => LivingWorld) {
  const send = (path: string, body: object, headers: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(`${world().env.HEADWATER_URL}${path}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const post = async (path: string, body: object) => {
    const answer = await send(path, body, { ...AS_READER, [WRITE_KEY_HEADER]: WRITE_KEY })
    const { data } = (await answer.json()) as { readonly data: Answered }
    return { status: answer.status, data }
  }
  return {
    send,
    post,
    resolve: (path: string, body: object) => post(path, { steward: 'Kim', ...body }),
    conflicts: async () => (await world().read('/v1/conflicts')).body.data,
    phone: async () => {
      const { body } = await world().read(`/v1/profiles/${encodeURIComponent(JANE)}?explain=true`)
      return { value: body.data.phone, ...body.explain.phone }
    },
  }
}
