import type { Group } from '../../engine/reducers/together.ts'
import { isRecord, type Text, textOf } from '../values.ts'

export const ADDRESS = ['text', 'street', 'city', 'state', 'postal_code', 'country'] as const

export type Address = Group<(typeof ADDRESS)[number]> | null

/** A text of several lines, or an object in Segment's spelling or ours. */
export function addressOf(sent: unknown): Address | undefined {
  if (sent === null) return null
  if (typeof sent === 'string') return { text: sent }
  if (!isRecord(sent)) return undefined
  const part = (...names: readonly string[]): Text => {
    for (const name of names) {
      const value = Object.hasOwn(sent, name) ? textOf(sent[name]) : undefined
      if (value !== undefined) return value
    }
    return undefined
  }
  return {
    street: part('street', 'line1', 'address1'),
    city: part('city', 'town'),
    state: part('state', 'region', 'province'),
    postal_code: part('postal_code', 'postalCode', 'zip', 'postcode'),
    country: part('country'),
  }
}
