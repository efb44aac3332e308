import { NAMESPACE_PATTERN } from '../../engine/events/identity.ts'
import type { ApiDeps } from '../deps.ts'

const IDENTITY_ID = /^[0-9a-f]{32}$/

/** The identity that `namespace:value` names; undefined where the text isn't of that form, or nobody is known by it. */
export function findStated(deps: ApiDeps, stated: string): string | undefined {
  const colon = stated.indexOf(':')
  const namespace = stated.slice(0, Math.max(colon, 0))
  if (!NAMESPACE_PATTERN.test(namespace)) return undefined
  return findIdentity(deps, namespace, stated.slice(colon + 1))
}

export function findIdentity(deps: ApiDeps, namespace: string, value: string): string | undefined {
  if (value === '' || value.length > 512 || !value.isWellFormed()) return undefined
  return deps.directory.find(namespace, deps.normaliseIdentity(namespace, value))
}

/** An identity id as it stands, or what `namespace:value` names. */
export function resolveIdentity(deps: ApiDeps, text: string): string | undefined {
  return IDENTITY_ID.test(text) ? text : findStated(deps, text)
}

interface ShownIdentity {
  readonly id: string
  /** Absent once erased. */
  readonly namespace?: string | undefined
  readonly value?: string | undefined
}

export function revealAll(deps: ApiDeps, ids: readonly string[]): readonly ShownIdentity[] {
  return ids.map((id) => ({ id, ...deps.directory.reveal(id) }))
}
