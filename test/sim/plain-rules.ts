import type { IdentityRules } from '../../engine/identity/identity.ts'
import type { Reading } from './oracle.ts'
import { must } from './violation.ts'

type Document = Readonly<Record<string, unknown>>

const DEFAULT_LIMITS = { user: 1, email: 5, phone: 5 }
const KNOWN = ['limits', 'periods', 'unique', 'priority', 'maxComponent', 'blocked']

/**
 * The identity rules in force once these events are there: what the document published last says, over the defaults. Said
 * once more, apart from the engine's own reading of it.
 */
export function plainRules(readings: readonly Reading[]): IdentityRules {
  const { data } = readings.findLast(isIdentityRules)?.event ?? {}
  const document = mapIn(data?.['rules'])
  for (const name of Object.keys(document))
    must(KNOWN.includes(name), () => `identity rules got into the log that say ${name}`)
  const stated = Object.entries({ ...DEFAULT_LIMITS, ...mapIn(document['limits']) })
  const unique = listIn(document['unique']).map((name) => [name, 1] as const)
  const limits = [...stated.filter((each) => isCounted(each)), ...unique]
  const blocked = mapIn(document['blocked'])
  return {
    version: '',
    limits: Object.fromEntries(limits),
    periods: Object.fromEntries(Object.entries(mapIn(document['periods'])).filter(isCounted)),
    namespaces: Object.fromEntries(listIn(document['priority']).map((name, at) => [name, at + 1])),
    blocked: { namespaces: listIn(blocked['namespaces']), identities: listIn(blocked['identities']) },
    maxComponent: typeof document['maxComponent'] === 'number' ? document['maxComponent'] : 10_000,
    priorities: { steward: 0, stated: 1 },
  }
}

export function isIdentityRules({ event }: Reading): boolean {
  return event?.type === 'rules.published' && event.data['kind'] === 'identity'
}

function isCounted(entry: readonly [string, unknown]): entry is [string, number] {
  return typeof entry[1] === 'number'
}

function mapIn(value: unknown): Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

function listIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}
