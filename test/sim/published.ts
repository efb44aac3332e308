import { CHOICE_RULES } from '../../engine/reducers/named.ts'
import { GOVERNED_VIEWS } from '../../projections/governed-views.ts'
import { checkSurvivorship } from '../../projections/survivorship.ts'
import type { Random } from './random.ts'
import { START_MS } from './timeline.ts'

/** What a workspace decides while a run goes on: rules for fields, rules for who is who, and single values. */

type Data = Readonly<Record<string, unknown>>
export type Made = { readonly type: string; readonly data: Data; readonly identities?: readonly string[] }

const SOURCES = ['web', 'crm', 'erp', 'support'] as const
const NAMESPACES = ['user', 'email', 'anonymous', 'phone'] as const

export function anyRules(random: Random): Made {
  const [kind, rules] = random.percent(50)
    ? ['identity', identityRules(random)]
    : ['survivorship', survivorshipRules(random)]
  const version = random.percent(50) ? { version: `v${random.below(4)}` } : {}
  return { type: 'rules.published', data: { kind, rules, ...version } }
}

/** Most differ from each other in one thing; some can't be read, and must not get in. */
function identityRules(random: Random): Data {
  const namespace = random.pick(NAMESPACES)
  switch (random.below(9)) {
    case 0:
      return { limits: { user: null, email: random.between(1, 2) } }
    case 1:
      return { limits: { [namespace]: random.between(1, 3) } }
    case 2:
      return { limits: { [namespace]: 1 }, periods: { [namespace]: random.pick([1, 30]) } }
    case 3:
      return { unique: [namespace] }
    case 4:
      return { priority: [namespace, random.pick(NAMESPACES.filter((each) => each !== namespace))] }
    case 5:
      return { maxComponent: random.between(2, 5) }
    case 6:
      return { blocked: { namespaces: [namespace], values: ['u2', 'null'] } }
    case 7:
      return {}
    default:
      return random.pick([{ limts: {} }, { maxComponent: 1 }, { periods: { user: 3, fax: 1 } }])
  }
}

function survivorshipRules(random: Random): Data {
  const entries = Array.from({ length: random.between(1, 3) }, () => survivorshipEntry(random))
  return Object.fromEntries(entries)
}

function survivorshipEntry(random: Random): readonly [entry: string, said: Data] {
  const { view, fields } = random.pick(GOVERNED_VIEWS)
  if (random.percent(15)) return [view, { window: random.pick(['1s', '1h', '90d']) }]
  const [field] = random.pick([...fields])
  const rule = random.pick(CHOICE_RULES)
  const said = {
    rule,
    ...(rule === 'mostRestrictive' ? { values: ['none', 'x', '', true] } : {}),
    ...(rule === 'ranked' && random.percent(50) ? { sources: ['erp', 'web'] } : {}),
    ...(random.percent(20) ? { window: '1h' } : {}),
  }
  const entry = `${view}.${field}`
  // What makes no sense may be published all the same, and then changes nothing: seldom.
  const isSound = checkSurvivorship({ [entry]: said }, GOVERNED_VIEWS).length === 0
  return isSound || random.percent(10) ? [entry, said] : ['profile.phone', { rule: 'first' }]
}

/** A steward's decision about one value. */
export function anyDecision(random: Random): Made {
  const type = random.pick(['field.locked', 'field.locked', 'field.unlocked', 'conflict.resolved'])
  const expires = new Date(START_MS + random.between(1, 40_000)).toISOString()
  const said = {
    steward: 'sue',
    ...(type !== 'field.unlocked' || random.percent(20) ? { value: random.pick(VALUES) } : {}),
    ...(type === 'field.locked' && random.percent(50) ? { expires_at: expires } : {}),
  }
  const { field, identities, ...about } = random.pick(ABOUT)(random)
  const data = { ...said, ...about, field: random.pick(field) }
  return { type, data, ...(identities === undefined ? {} : { identities }) }
}

const VALUES = ['Cleo', 'x', '', null, '+44 20 7946 0999', 7, true]

interface About {
  readonly view: string
  readonly key?: string
  readonly user_id?: string
  readonly field: readonly string[]
  readonly identities?: readonly string[]
}

const OF_PEOPLE = ['first_name', 'phone', 'email', 'lifecycle', 'traits.x', 'elsewhere']
const OF_RECORDS = ['name', 'owner', 'amount', 'phone', 'stage']

const ABOUT: readonly ((random: Random) => About)[] = [
  (random) => ({ view: 'profile', user_id: `u${random.between(1, 5)}`, field: OF_PEOPLE }),
  (random) => ({
    ...{ view: 'profile', field: OF_PEOPLE },
    identities: [`anonymous:a${random.between(1, 7)}`],
  }),
  (random) => ({ view: 'lead', identities: [`lead:L${random.between(1, 3)}`], field: OF_RECORDS }),
  (random) => ({ view: 'opportunity', key: `O${random.between(1, 2)}`, field: OF_RECORDS }),
  () => ({ view: 'account', identities: ['account:A1'], field: OF_RECORDS }),
]

/** A source's priority, or the stages of the pipeline. */
export function anyRegistration(random: Random): Made {
  if (random.percent(60)) {
    const data = { source: random.pick(SOURCES), priority: random.between(1, 9) }
    return {
      type: 'source.registered',
      data: { ...data, ...(random.percent(30) ? { currency: 'EUR' } : {}) },
    }
  }
  const stage = (id: string, probability: number) => ({ id, label: id, probability })
  const open = { ...stage('negotiation', random.pick([20, 80])), forecast_category: 'commit' }
  const won = { ...stage('signed', 100), forecast_category: 'closed', closed: 'won' }
  return { type: 'stages.published', data: { stages: [open, won] } }
}
