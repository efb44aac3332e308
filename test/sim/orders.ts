import * as E from 'fp-ts/lib/Either.js'
import type { OrderRefusal, VersionOrder } from '../../engine/projector/versions.ts'
import type { Disk } from './disk.ts'
import type { Forgetting } from './forgetting.ts'
import type { Life } from './life.ts'
import { must } from './violation.ts'

type RebuildOrder = Extract<VersionOrder, { kind: 'rebuild' }>
type SwitchOrder = Exclude<VersionOrder, RebuildOrder>

interface OrdersParts {
  readonly disk: Disk
  readonly forgetting: Forgetting
  readonly note: (what: string, detail: string) => void
}

/** An operator who rebuilds read models, and where builds are held switches to what waits and back. */
export class Orders {
  readonly #parts: OrdersParts
  #waiting = new Set<object>()
  /** Projections that builds were switched of by order, since `takeSwitched`. */
  #switched = new Set<string>()

  constructor(parts: OrdersParts) {
    this.#parts = parts
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Nobody answers those that still wait. */
  forget(): void {
    this.#waiting = new Set()
  }

  takeSwitched(): ReadonlySet<string> {
    const switched = this.#switched
    this.#switched = new Set()
    return switched
  }

  give(life: Life, kind: VersionOrder['kind'], projection: string): void {
    const token = {}
    const waiting = this.#waiting
    waiting.add(token)
    // Carried out or cut off: either may have switched.
    this.#switched.add(projection)
    life.projector.order(this.#order(kind, projection, () => waiting.delete(token)))
  }

  #order(kind: VersionOrder['kind'], projection: string, settle: () => void): VersionOrder {
    if (kind === 'rebuild') return this.#rebuild(projection, settle)
    const done: SwitchOrder['done'] = (outcome) => {
      settle()
      if (E.isLeft(outcome)) return this.#refused(outcome.left)
      this.#mustServe(outcome.right.to)
      this.#parts.note(`order ${kind}`, outcome.right.to)
    }
    return { kind, projection, done }
  }

  #rebuild(projection: string, settle: () => void): RebuildOrder {
    const { forgetting, note } = this.#parts
    const erasures = forgetting.begun
    const done: RebuildOrder['done'] = (outcome) => {
      settle()
      if (E.isLeft(outcome)) return this.#refused(outcome.left)
      for (const { from, to, before, after } of outcome.right) {
        this.#mustServe(to)
        note('order rebuild', to)
        if (forgetting.isUnderWay || erasures !== forgetting.begun) continue
        must(before === after, () => `rebuilt, ${to} differs from ${from}, which served`)
      }
    }
    return { kind: 'rebuild', projections: [projection], onProgress: () => undefined, done }
  }

  #refused({ _tag, projection }: OrderRefusal): void {
    must(_tag !== 'UnknownProjection', () => `nobody knows ${projection}, which serves`)
    this.#parts.note(`order refused: ${_tag}`, projection)
  }

  #mustServe(build: string): void {
    const found = this.#parts.disk.store.writer.builds().find((each) => each.build === build)
    must(found?.serving === true, () => `${build} was said to serve and doesn't`)
  }
}
