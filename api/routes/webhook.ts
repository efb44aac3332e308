import type { IncomingHttpHeaders } from 'node:http'

/** A DNS name or an expression of names, as `WebHook-Request-Origin` carries it. */
const ORIGIN = /^[a-z0-9*][a-z0-9.*_-]{0,252}$/i
const RATE = /^[1-9]\d{0,8}$/

/**
 * The permission that a webhook sender asks for before it delivers (HTTP 1.1 Web Hooks for Event Delivery 1.0, section 4),
 * as response headers; undefined where nobody asks. The rate granted is the rate asked for, requests a minute: who sends
 * more than the intake takes is told so by 429.
 *
 * Every origin is granted. The handshake protects the addressee of unwanted deliveries, and says nothing of who sends:
 * whoever knows this address can claim any name. What is delivered needs the write key.
 *
 * `WebHook-Request-Callback` is not followed: an address named by a stranger is not one for us to call.
 */
export function deliveryGrant(headers: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
  const origin = headers['webhook-request-origin']
  if (typeof origin !== 'string' || !ORIGIN.test(origin)) return undefined
  const rate = headers['webhook-request-rate']
  return {
    'webhook-allowed-origin': origin,
    'webhook-allowed-rate': typeof rate === 'string' && RATE.test(rate) ? rate : '*',
  }
}
