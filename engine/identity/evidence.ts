import type { AnyEvent } from '../events/catalogue.ts'
import { type Identity, namespaceOf } from '../events/identity.ts'
import type { Evidence, LinkEvidence } from './identity.ts'

/** What evidence follows from: an event's envelope. */
export type Evident = Pick<AnyEvent, 'type' | 'id' | 'source' | 'time' | 'position' | 'identities'>

const NONE: readonly Evidence[] = []

/**
 * What an event says about who belongs together. Identities of one event and of one kind point at one person or
 * company; people and companies are never linked with each other. Every other identity is linked with (or cut from) the
 * first of its kind, the leading one, so k identities give k − 1 pieces.
 */
export function evidenceOf(event: Evident): readonly Evidence[] {
  if (event.identities.length < 2) return NONE
  switch (event.type) {
    case 'identity.linked':
      return star(event, (id, a, b) => link('steward', event, id, a, b))
    case 'identity.cut':
      return star(event, (id, a, b) => decision('cut', event, id, a, b))
    case 'identity.cut_lifted':
      return star(event, (id, a, b) => decision('cut_lifted', event, id, a, b))
    case 'identity.kept_apart':
      return star(event, (id, a, b) => decision('kept_apart', event, id, a, b))
    // Configuration is about nobody.
    case 'rules.published':
      return NONE
    // An open union: every other type, custom ones too, states links.
    default:
      return star(event, (id, a, b) => link('stated', event, id, a, b))
  }
}

function star(
  event: Evident,
  piece: (id: string, a: Identity, b: Identity) => Evidence,
): readonly Evidence[] {
  const pieces: Evidence[] = []
  const seen = new Set<string>()
  let person: Identity | undefined
  let company: Identity | undefined
  for (const identity of event.identities) {
    if (seen.has(identity.id)) continue
    seen.add(identity.id)
    const isPerson = namespaceOf(identity.namespace).kind === 'person'
    const centre = isPerson ? person : company
    if (centre !== undefined) pieces.push(piece(idOf(event, pieces.length), centre, identity))
    else if (isPerson) person = identity
    else company = identity
  }
  return pieces
}

/** The source's length keeps (source, id) pairs apart whatever characters they contain. */
function idOf(event: Evident, index: number): string {
  return `${index}/${event.source.length}/${event.source}/${event.id}`
}

function link(
  rule: LinkEvidence['rule'],
  event: Evident,
  id: string,
  a: Identity,
  b: Identity,
): LinkEvidence {
  return {
    kind: 'link',
    id,
    a: a.id,
    b: b.id,
    aNamespace: a.namespace,
    bNamespace: b.namespace,
    rule,
    time: event.time,
    eventId: event.id,
    position: event.position,
  }
}

function decision<K extends Exclude<Evidence['kind'], 'link'>>(
  kind: K,
  event: Evident,
  id: string,
  a: Identity,
  b: Identity,
) {
  return { kind, id, a: a.id, b: b.id, time: event.time, eventId: event.id, position: event.position }
}
