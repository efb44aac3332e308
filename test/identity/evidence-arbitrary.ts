import * as fc from 'fast-check'
import type {
  ApartEvidence,
  CutEvidence,
  Evidence,
  IdentityRules,
  LinkEvidence,
} from '../../engine/identity/identity.ts'

/** Tight enough that small evidence breaks every limit now and then. */
export const RULES: IdentityRules = {
  version: 'test',
  limits: { user: 1, email: 2 },
  maxComponent: 5,
  priorities: { steward: 0, stated: 1 },
}

const MS_IN_DAYS = 1 / 86_400_000

/** The same with everything else that rules may say; two e-mail addresses in 3 ms. */
export const FULL_RULES: IdentityRules = {
  ...RULES,
  version: 'full',
  limits: { user: 2, email: 1 },
  periods: { email: 3 * MS_IN_DAYS, user: 2 * MS_IN_DAYS },
  namespaces: { phone: 1, user: 2, email: 2 },
  blocked: { namespaces: ['constructor'], identities: ['i7'] },
}

/** Identity id → namespace; ids of other worlds (`world` differs) are other identities. */
const NAMESPACES = ['user', 'user', 'email', 'email', 'email', 'anonymous', 'constructor', 'phone'] as const

export function link(
  a: string,
  b: string,
  time: number,
  rule: LinkEvidence['rule'] = 'stated',
  eventId = `e${time}`,
): LinkEvidence {
  const [aNamespace, bNamespace] = [namespaceIn(a), namespaceIn(b)]
  const id = `${a} ${b} ${rule} ${time} ${eventId}`
  return { kind: 'link', id, a, b, aNamespace, bNamespace, rule, time, eventId, position: time + 1 }
}

export function cut(a: string, b: string, time: number, kind: CutEvidence['kind'] = 'cut'): CutEvidence {
  return decision(a, b, time, kind)
}

export function keptApart(a: string, b: string, time: number): ApartEvidence {
  return decision(a, b, time, 'kept_apart')
}

function decision<K extends string>(a: string, b: string, time: number, kind: K) {
  return { kind, id: `${kind} ${a} ${b} ${time}`, a, b, time, eventId: `e${time}`, position: time + 1 }
}

/** The digits of an id say its namespace. */
export function namespaceIn(id: string): string {
  return NAMESPACES[Number(id.replace(/\D/g, '')) % NAMESPACES.length] as string
}

export function evidences(world = 'i', maxLength = 24): fc.Arbitrary<readonly Evidence[]> {
  const index = fc.nat(NAMESPACES.length - 1)
  const pair = fc
    .tuple(index, index)
    .filter(([a, b]) => a !== b)
    .map(([a, b]) => [`${world}${a}`, `${world}${b}`] as const)
  const time = fc.nat(5)
  const rule = fc.constantFrom('stated', 'stated', 'stated', 'steward')
  const linked = fc
    .tuple(pair, time, rule, fc.constantFrom('e1', 'e2'))
    .map(([[a, b], at, by, event]): Evidence => link(a, b, at, by, event))
  const apart = fc
    .tuple(pair, time, fc.constantFrom('cut', 'cut', 'cut_lifted', 'kept_apart'))
    .map(([[a, b], at, kind]): Evidence => decision(a, b, at, kind))
  return fc.array(fc.oneof({ weight: 6, arbitrary: linked }, apart), { maxLength })
}
