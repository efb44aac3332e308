import type { BuildsMode } from '../../engine/projector/builds.ts'
import type { BuildStatus } from '../../engine/store/store.ts'
import { must } from './violation.ts'

/** Whether what serves changes only where it may: with builds held, by an operator's order or by another release. */
export class Held {
  readonly #mode: BuildsMode
  #serving: ReadonlyMap<string, BuildStatus> = new Map()

  constructor(mode: BuildsMode) {
    this.#mode = mode
  }

  /** `switched`: projections that an order was given for since the last call. */
  check(builds: readonly BuildStatus[], switched: ReadonlySet<string>): void {
    const serving = new Map(builds.filter((build) => build.serving).map((build) => [build.projection, build]))
    const before = this.#serving
    this.#serving = serving
    if (this.#mode !== 'hold') return
    for (const [projection, build] of serving) {
      const last = before.get(projection)
      const isFree = last === undefined || last.version !== build.version || switched.has(projection)
      must(
        isFree || last.configuration === build.configuration,
        () => `${build.build} serves in place of ${last?.build}, and nobody has switched`,
      )
    }
  }
}
