import type { Made } from './published.ts'
import type { Random } from './random.ts'

/** What departments add to the workspace: fields, objects and events about them. */

type Data = Readonly<Record<string, unknown>>

const OBJECTS = ['machine', 'site_visit'] as const
const FIELDS = ['tier', 'size', 'bought_on'] as const

/** Values of some type that a defined field may have or not. */
export function definedValues(random: Random): Data {
  const field = random.pick(FIELDS)
  return { [field]: random.pick(['gold', '', null, 7, 2.5, true, '2026-02-28', '2026-03-01T12:00:00Z']) }
}

function field(random: Random): Data {
  return {
    field: random.percent(95) ? random.pick(FIELDS) : random.pick(['q', 'Bad Name', 'name']),
    type: random.pick(['text', 'text', 'integer', 'real', 'boolean', 'day', 'instant', 'money', 'json']),
    ...(random.percent(40) ? { rule: random.pick(['first', 'ranked', 'max', 'review', 'latest']) } : {}),
    ...(random.percent(10) ? { options: ['gold', 'silver'] } : {}),
  }
}

export function anyDefinition(random: Random): Made {
  const archived = random.percent(15) ? { archived: true } : {}
  if (random.percent(40)) {
    const fields = Array.from({ length: random.below(3) }, () => field(random))
    return {
      type: 'object.defined',
      data: { object: random.pick(OBJECTS), label: 'Thing', fields, ...archived },
    }
  }
  const object = random.pick(['profile', 'profile', 'lead', 'account', ...OBJECTS])
  const data = { field_id: `f${random.between(1, 4)}`, object, ...field(random), ...archived }
  return { type: 'field.defined', data }
}

/** About a record of an object that may have been defined. */
export function aboutObject(random: Random): Made {
  const object = random.pick(OBJECTS)
  const id = random.pick([`${object}_id`, `${object}_id`, 'id'])
  const data = {
    ...{ [id]: `m${random.between(1, 3)}`, owner: random.pick(['Ines', null]) },
    ...definedValues(random),
  }
  const identities = random.percent(70) ? { identities: [`user:u${random.between(1, 5)}`] } : {}
  return {
    type: `${object}.${random.pick(['created', 'updated', 'updated', 'archived'])}`,
    data,
    ...identities,
  }
}
