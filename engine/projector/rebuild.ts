import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import { type BuildDigest, digestInSteps } from '../store/digest.ts'
import type { StoreSnapshot } from '../store/snapshot.ts'
import type { BuildName, BuildStatus } from '../store/store.ts'
import type { BuildFold, Grouping } from './build-fold.ts'
import type { BuildsOptions, Place } from './builds.ts'
import type { Committer } from './committer.ts'
import { BesideFolds } from './rebuild-beside.ts'
import type { OrderRefusal, Rebuilt, Switched, VersionOrder } from './versions.ts'

/** What the projector lends. */
interface Following {
  readonly place: () => Place
  readonly folds: () => readonly BuildFold[]
  setFolds(folds: readonly BuildFold[]): void
  /** Afterwards everything folded is in the store and nothing is being written. */
  commitAll(): void
  /** Of the configuration as it stands. */
  wantedHash(fold: BuildFold): string
}

type Rebuild = Extract<VersionOrder, { kind: 'rebuild' }>

/** Builds of one order, first folded, then compared. */
interface UnderWay {
  readonly order: Rebuild
  readonly beside: BesideFolds
  /** Folded as far as the others, and following with them. */
  isJoined: boolean
  comparing: Comparing | undefined
}

interface Comparing {
  readonly snapshot: StoreSnapshot
  readonly position: number
  /** What serves and what takes its place, in turns. */
  readonly builds: readonly BuildName[]
  readonly digests: BuildDigest[]
  steps: Generator<void, BuildDigest> | undefined
}

/**
 * Carries out orders, one after the other, a small step at a time, so that the projector goes on following the log. Builds
 * are made beside those that serve and take their places in one transaction each; until then, and after a crash at any
 * point, what served serves.
 */
export class Rebuilds {
  readonly #options: BuildsOptions
  readonly #committer: Committer
  readonly #grouping: Grouping
  readonly #following: Following
  #orders: VersionOrder[] = []
  #underWay: UnderWay | undefined
  #interrupt = (): void => undefined

  constructor(options: BuildsOptions, committer: Committer, grouping: Grouping, following: Following) {
    this.#options = options
    this.#committer = committer
    this.#grouping = grouping
    this.#following = following
  }

  add(order: VersionOrder): void {
    this.#orders.push(order)
    this.#interrupt()
  }

  get isBusy(): boolean {
    return this.#underWay !== undefined || this.#orders.length > 0
  }

  /** Settles with `ordered` when an order comes first. As `Erasings.orArriving`. */
  orArriving<T>(arriving: Promise<T>): Promise<T | 'ordered'> {
    if (this.#orders.length > 0) return Promise.resolve('ordered')
    const { promise, resolve, reject } = Promise.withResolvers<T | 'ordered'>()
    this.#interrupt = () => resolve('ordered')
    arriving.then(resolve, reject)
    return promise
  }

  /** A commit is about to write rows of these profiles for other reasons than their states. */
  regrouped(profiles: ReadonlySet<string>): void {
    this.#underWay?.beside.regrouped(profiles)
  }

  /** What served has been folded anew or replaced: what is under way begins again. */
  restart(): void {
    const underWay = this.#takeUnderWay()
    if (underWay !== undefined) this.#orders.unshift(underWay.order)
  }

  /** Nothing of what is under way stays. */
  close(): void {
    this.#underWay?.comparing?.snapshot.close()
  }

  async step(signal: AbortSignal): Promise<void> {
    const underWay = this.#underWay
    if (underWay === undefined) this.#begin()
    // It is written in slices, by whoever calls.
    else if (this.#committer.isWriting) return
    else if (underWay.isJoined && underWay.comparing === undefined) this.#beginComparing(underWay)
    else if (underWay.comparing !== undefined) this.#compare(underWay, underWay.comparing)
    else await this.#fold(underWay, signal)
  }

  #takeUnderWay(): UnderWay | undefined {
    const underWay = this.#underWay
    this.#underWay = undefined
    if (underWay === undefined) return undefined
    underWay.comparing?.snapshot.close()
    const made = new Set(underWay.beside.folds.map(({ build }) => build))
    this.#following.setFolds(this.#following.folds().filter(({ build }) => !made.has(build)))
    this.#following.commitAll()
    for (const { build } of this.#options.store.builds())
      if (made.has(build)) this.#options.store.dropBuild(build)
    return underWay
  }

  #begin(): void {
    const order = this.#orders.shift()
    switch (order?.kind) {
      case undefined:
        return
      case 'switch':
      case 'rollback':
        order.done(this.#switch(order.kind, order.projection))
        return
      case 'rebuild':
        this.#beginRebuild(order)
        return
    }
  }

  #beginRebuild(order: Rebuild): void {
    const [refusal] = order.projections.flatMap((name) => this.#refusal(name) ?? [])
    if (refusal !== undefined) {
      order.done(E.left(refusal))
      return
    }
    this.#following.commitAll()
    const made = [...new Set(order.projections)].map((name) => {
      const serving = this.#servingFold(name)
      assert(serving !== undefined, 'what is to be made anew serves')
      return this.#createAnother(serving)
    })
    const beside = new BesideFolds(made, this.#options, this.#committer, this.#grouping)
    this.#underWay = { order, beside, isJoined: false, comparing: undefined }
  }

  #refusal(projection: string): OrderRefusal | undefined {
    const serving = this.#servingFold(projection)
    if (serving === undefined) return { _tag: 'UnknownProjection', projection }
    const waiting = this.#waiting(projection)
    return waiting && { _tag: 'BuildWaits', projection, waiting: waiting.build }
  }

  #createAnother(serving: BuildFold): BuildFold {
    const { store, onBuild } = this.#options
    const builds = store.builds()
    const status = this.#status(serving.build)
    const { name, version, table } = serving.projection
    const { configuration } = status
    const base = `${name}__v${version}_${configuration}`
    let build = base
    for (let n = 2; builds.some((other) => other.build === build); n++) build = `${base}_${n}`
    store.createBuild({ projection: name, build, version, configuration, table })
    onBuild(build, 'building')
    return serving.afresh(build)
  }

  async #fold({ order, beside }: UnderWay, signal: AbortSignal): Promise<void> {
    const at = this.#following.place()
    const isThere = await beside.step(at, signal)
    if (signal.aborted) return
    // Somebody may have begun anew meanwhile.
    if (this.#underWay?.beside !== beside) return
    order.onProgress({ step: 'folding', done: beside.position, of: at.position })
    if (isThere) this.#join(this.#underWay)
  }

  /** From here on they follow the log with the others. */
  #join(underWay: UnderWay): void {
    const { beside } = underWay
    const following = this.#following
    following.commitAll()
    beside.finish(following.place())
    // What is being written stays as it is, whatever they fold from here on.
    following.setFolds([...following.folds(), ...beside.folds])
    underWay.isJoined = true
  }

  #beginComparing(underWay: UnderWay): void {
    const { beside, order } = underWay
    const snapshot = this.#options.store.snapshot()
    const builds = order.projections.flatMap((name) => {
      const serving = this.#servingFold(name)
      const made = beside.folds.find(({ projection }) => projection.name === name)
      return serving === undefined || made === undefined ? [] : [serving.build, made.build]
    })
    const { position } = snapshot.checkpoint
    underWay.comparing = { snapshot, position, builds, digests: [], steps: undefined }
  }

  #compare(underWay: UnderWay, comparing: Comparing): void {
    const { snapshot, builds, digests } = comparing
    const build = builds[digests.length]
    if (build === undefined) {
      this.#finish(underWay, comparing)
      return
    }
    comparing.steps ??= digestInSteps(snapshot, build)
    const step = comparing.steps.next()
    if (step.done !== true) return
    digests.push(step.value)
    comparing.steps = undefined
    underWay.order.onProgress({ step: 'comparing', done: digests.length, of: builds.length })
  }

  #finish({ order }: UnderWay, { snapshot, position, builds, digests }: Comparing): void {
    snapshot.close()
    this.#underWay = undefined
    this.#following.commitAll()
    const rebuilt: Rebuilt[] = []
    for (let i = 0; i < builds.length; i += 2) {
      const [from, to] = builds.slice(i)
      const [before, after] = digests.slice(i)
      assert(from !== undefined && to !== undefined && before !== undefined && after !== undefined)
      const { projection } = this.#status(from)
      this.#serve(from, to, this.#othersOf(projection, [from, to]))
      rebuilt.push({
        projection,
        from,
        to,
        rows: after.rows,
        before: before.digest,
        after: after.digest,
        position,
      })
    }
    order.done(E.right(rebuilt))
  }

  #switch(kind: 'switch' | 'rollback', projection: string): E.Either<OrderRefusal, Switched> {
    const serving = this.#servingFold(projection)
    if (serving === undefined) return E.left({ _tag: 'UnknownProjection', projection })
    const from = serving.build
    const waiting = this.#waiting(projection)
    if (kind === 'switch' && waiting === undefined)
      return E.left({ _tag: 'NothingWaits', projection, serving: from })
    const chosen = kind === 'switch' ? waiting : this.#previous(projection)
    if (chosen === undefined) return E.left({ _tag: 'NoBuildBefore', projection, serving: from })
    this.#following.commitAll()
    this.#serve(from, chosen.build, [from])
    const { digest, rows, position } = this.#digest(chosen.build)
    return E.right({ projection, from, to: chosen.build, rows, digest, position })
  }

  #digest(build: BuildName): { readonly digest: string; readonly rows: number; readonly position: number } {
    const snapshot = this.#options.store.snapshot()
    try {
      const steps = digestInSteps(snapshot, build)
      for (let step = steps.next(); ; step = steps.next())
        if (step.done === true) return { ...step.value, position: snapshot.checkpoint.position }
    } finally {
      snapshot.close()
    }
  }

  /** Of the projection's builds none but `to` and `kept` are left. */
  #serve(from: BuildName, to: BuildName, kept: readonly BuildName[]): void {
    const { store, onBuild } = this.#options
    store.serve(to, kept)
    onBuild(to, 'serving')
    const there = new Set(store.builds().map(({ build }) => build))
    const folds = this.#following.folds().filter(({ build }) => there.has(build))
    const chosen = folds.find(({ build }) => build === to)
    assert(chosen !== undefined, 'what serves follows')
    // In the place of the one before: who looks for a projection's fold takes its first.
    const others = folds.filter((fold) => fold !== chosen)
    const place = this.#following.folds().findIndex(({ build }) => build === from)
    this.#following.setFolds([...others.slice(0, place), chosen, ...others.slice(place)])
  }

  #othersOf(projection: string, but: readonly BuildName[]): readonly BuildName[] {
    return this.#foldsOf(projection)
      .map(({ build }) => build)
      .filter((build) => !but.includes(build))
  }

  #foldsOf(projection: string): readonly BuildFold[] {
    return this.#following.folds().filter((fold) => fold.projection.name === projection)
  }

  #servingFold(projection: string): BuildFold | undefined {
    return this.#foldsOf(projection).find(({ build }) => this.#status(build).serving)
  }

  /** What would serve by itself if nothing were held. */
  #waiting(projection: string): BuildFold | undefined {
    return this.#foldsOf(projection).find((fold) => {
      const { serving, configuration } = this.#status(fold.build)
      return !serving && configuration === this.#following.wantedHash(fold)
    })
  }

  #previous(projection: string): BuildFold | undefined {
    return this.#foldsOf(projection).find((fold) => {
      const { serving, configuration } = this.#status(fold.build)
      return !serving && configuration !== this.#following.wantedHash(fold)
    })
  }

  #status(build: BuildName): BuildStatus {
    const status = this.#options.store.builds().find((each) => each.build === build)
    assert(status !== undefined, `no such build: ${build}`)
    return status
  }
}
