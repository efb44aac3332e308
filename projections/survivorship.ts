import * as E from 'fp-ts/lib/Either.js'
import type { Configuration } from '../engine/projector/projection.ts'
import { CHOICE_RULES, type ChoiceRule } from '../engine/reducers/named.ts'
import type { ColumnType } from '../engine/store/table.ts'
import { isRecord, own } from './values.ts'

/**
 * `rules.published` of the kind `survivorship`: `{"<view>.<field>": {rule, sources?, values?, window?}, "<view>": {window}}`
 * takes the place of what the projections say. Read leniently where a fold needs it (an entry that makes no sense
 * changes nothing), and strictly, with reasons, where somebody is about to publish it.
 */

/** What may be said about a field. */
export interface FieldSpec {
  readonly type: ColumnType
  /** Name of the rule that the projection gives it. */
  readonly rule: string
  /** Another rule may take its place. */
  readonly isRulable: boolean
  /** A steward's resolution may compete with its writes; otherwise only a lock holds it. */
  readonly isResolvable: boolean
}

export interface ViewSpec {
  readonly view: string
  readonly fields: ReadonlyMap<string, FieldSpec>
  /** Two writes of different values no further apart than this contradict each other, ms. */
  readonly windowMs: number
}

export interface Override {
  readonly rule?: ChoiceRule | undefined
  readonly sources?: readonly string[] | undefined
  readonly values?: readonly (string | boolean)[] | undefined
  readonly windowMs?: number | undefined
}

export interface RuleProblem {
  readonly _tag: 'IllFormed' | 'UnknownView' | 'UnknownField' | 'UnknownRule' | 'NotRulable'
  /** Key of the entry; '' for the document. */
  readonly entry: string
  readonly message: string
}

type Document = Readonly<Record<string, unknown>>

const published = new WeakMap<Configuration, Document>()

/** What is published; of several streams the later by name counts where both speak of a field. */
export function publishedSurvivorship(config: Configuration): Document {
  const known = published.get(config)
  if (known !== undefined) return known
  const document = Object.assign(
    {},
    ...config
      .all('rules.published')
      .filter(({ data }) => data.kind === 'survivorship')
      .map(({ data }) => (isRecord(data.rules) ? data.rules : {})),
  )
  published.set(config, document)
  return document
}

/** Of one view, the sound entries: field → what is said of it; '' is the view itself. */
export function overridesOf(config: Configuration, view: ViewSpec): ReadonlyMap<string, Override> {
  const document = publishedSurvivorship(config)
  const overrides = new Map<string, Override>()
  for (const [entry, said] of Object.entries(document)) {
    if (viewOf(entry) !== view.view) continue
    const parsed = parseEntry(entry, said, view)
    if (E.isRight(parsed)) overrides.set(fieldOf(entry), parsed.right)
  }
  return overrides
}

/** Everything that is wrong with a document; empty: it may be published. */
export function checkSurvivorship(rules: unknown, views: readonly ViewSpec[]): readonly RuleProblem[] {
  if (!isRecord(rules)) {
    const message = 'must be an object of "<view>.<field>": {"rule": …}'
    return [{ _tag: 'IllFormed', entry: '', message }]
  }
  return Object.entries(rules).flatMap(([entry, said]) => {
    const view = views.find((each) => each.view === viewOf(entry))
    if (view === undefined) {
      const message = `there is no view ${viewOf(entry)}; rules can be given for ${views.map((each) => each.view).join(', ')}`
      return [{ _tag: 'UnknownView', entry, message }]
    }
    const parsed = parseEntry(entry, said, view)
    return E.isLeft(parsed) ? [parsed.left] : []
  })
}

/** The view that an entry is about. */
export function viewOf(entry: string): string {
  const dot = entry.indexOf('.')
  return dot < 0 ? entry : entry.slice(0, dot)
}

function fieldOf(entry: string): string {
  const dot = entry.indexOf('.')
  return dot < 0 ? '' : entry.slice(dot + 1)
}

const KNOWN = ['rule', 'sources', 'values', 'window']

function parseEntry(entry: string, said: unknown, view: ViewSpec): E.Either<RuleProblem, Override> {
  const refuse = (_tag: RuleProblem['_tag'], message: string) => E.left({ _tag, entry, message })
  if (!isRecord(said)) return refuse('IllFormed', 'must be an object')
  const foreign = Object.keys(said).find((name) => !KNOWN.includes(name))
  if (foreign !== undefined) return refuse('IllFormed', `knows ${KNOWN.join(', ')}, not ${foreign}`)
  const windowMs = own(said, 'window') === undefined ? undefined : parseWindow(own(said, 'window'))
  if (own(said, 'window') !== undefined && windowMs === undefined) {
    return refuse('IllFormed', 'window is a number of s, m, h or d, such as "30d"')
  }
  const field = fieldOf(entry)
  if (field === '') {
    const onlyWindow = Object.keys(said).every((name) => name === 'window')
    return onlyWindow
      ? E.right({ windowMs })
      : refuse('IllFormed', 'of a whole view only the window can be set')
  }
  const spec = view.fields.get(field)
  if (spec === undefined) {
    const names = [...view.fields.keys()].join(', ')
    return refuse('UnknownField', `${view.view} has no such field under a rule; it has ${names}`)
  }
  const rule = own(said, 'rule')
  if (rule === undefined) {
    const alone = own(said, 'sources') === undefined && own(said, 'values') === undefined
    return alone ? E.right({ windowMs }) : refuse('IllFormed', 'names no rule')
  }
  const parsed = parseRule(said, rule, spec)
  return E.isLeft(parsed)
    ? refuse(parsed.left._tag, parsed.left.message)
    : E.right({ ...parsed.right, windowMs })
}

/** A rule with what it goes by, as an entry or a definition states it for a field. */
export function parseRule(
  said: Document,
  stated: unknown,
  spec: FieldSpec,
): E.Either<Pick<RuleProblem, '_tag' | 'message'>, Override> {
  const refuse = (_tag: RuleProblem['_tag'], message: string) => E.left({ _tag, message })
  const rule = CHOICE_RULES.find((name) => name === stated)
  if (rule === undefined) return refuse('UnknownRule', `the rules are ${CHOICE_RULES.join(', ')}`)
  if (!spec.isRulable) {
    return refuse('NotRulable', `is under ${spec.rule}, whose writes no other rule can take`)
  }
  const sources = textsAt(said, 'sources')
  if (sources === 'bad')
    return refuse('IllFormed', 'sources is a list of different sources, most trusted first')
  if (sources !== undefined && rule !== 'ranked' && rule !== 'rankedUnlessBlank') {
    return refuse('IllFormed', `${rule} doesn't go by sources`)
  }
  if ((rule === 'min' || rule === 'max') && !ORDERED.has(spec.type)) {
    return refuse('IllFormed', `${rule} has no order for values of the type ${spec.type}`)
  }
  const values = valuesAt(said)
  if (values === 'bad' || (values === undefined && rule === 'mostRestrictive')) {
    return refuse('IllFormed', 'values is a list of different values, most restrictive first')
  }
  if (values !== undefined && rule !== 'mostRestrictive') {
    return refuse('IllFormed', `${rule} doesn't go by values`)
  }
  return E.right({ rule, sources, values })
}

const ORDERED: ReadonlySet<ColumnType> = new Set(['text', 'integer', 'real', 'instant', 'day', 'money'])

function textsAt(said: Document, name: string): readonly string[] | 'bad' | undefined {
  const stated = own(said, name)
  if (stated === undefined) return undefined
  if (!Array.isArray(stated) || stated.length === 0) return 'bad'
  const texts = stated.filter((each): each is string => typeof each === 'string' && each !== '')
  return texts.length === stated.length && new Set(texts).size === texts.length ? texts : 'bad'
}

function valuesAt(said: Document): readonly (string | boolean)[] | 'bad' | undefined {
  const stated = own(said, 'values')
  if (stated === undefined) return undefined
  if (!Array.isArray(stated) || stated.length === 0) return 'bad'
  const values = stated.filter((each): each is string | boolean =>
    ['string', 'boolean'].includes(typeof each),
  )
  return values.length === stated.length && new Set(values).size === values.length ? values : 'bad'
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** ms; undefined: no length of time. */
function parseWindow(stated: unknown): number | undefined {
  const found = typeof stated === 'string' ? /^(\d{1,6})([smhd])$/.exec(stated) : null
  const unit = UNITS_MS[found?.[2] ?? '']
  return found === null || unit === undefined ? undefined : Number(found[1]) * unit
}
