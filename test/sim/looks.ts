import { isDeepStrictEqual } from 'node:util'
import type { BuildsMode } from '../../engine/projector/builds.ts'
import type { LiveAnswer } from '../../engine/projector/live-reads.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import { compareRows, possibleConfigurations, possibleGroups, upTo } from './check-reads.ts'
import type { Life } from './life.ts'
import { foldPlainly, type Groups, plainRows, type Reading } from './oracle.ts'
import type { Random } from './random.ts'
import type { Release } from './releases.ts'
import { must, Violation } from './violation.ts'

interface Look {
  readonly life: Pick<Life, 'projector' | 'store'>
  /** Builds are being switched: the store may answer from those before. */
  readonly isSwitching: () => boolean
  /** Up to here, whoever asks knows that events were acknowledged; it is asked as soon as that is known. */
  readonly after: Promise<number>
  readonly release: Release
  readonly mode: BuildsMode
  /** The log as it is when called. */
  readonly readings: () => Promise<readonly Reading[]>
}

interface Question {
  readonly projection: AnyProjection
  readonly key: string
}

interface Asked extends Omit<Look, 'after'> {
  readonly after: number
}

interface Looked {
  readonly position: number
  /** Throws `Violation`. */
  check(): void
}

/** Readers of single keys: what they are answered is of the position that they ask for or a later one, and right for it. */
export class Looks {
  readonly #random: Random
  readonly #afterNext: ((position: number) => void)[] = []
  #waiting = new Set<object>()

  constructor(random: Random) {
    this.#random = random
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Nobody answers those that still wait, nor begins to ask. */
  forget(): void {
    this.#waiting = new Set()
    this.#afterNext.length = 0
  }

  /** Position of the next event that is acknowledged; never resolves if none is. */
  next(): Promise<number> {
    return new Promise((resolve) => this.#afterNext.push(resolve))
  }

  acknowledged(position: number): void {
    for (const look of this.#afterNext.splice(0)) look(position)
  }

  /** undefined: there is nothing to ask for, or it isn't answered while builds are switched. */
  async look(look: Look): Promise<Looked | undefined> {
    // Who began before a crash is forgotten, also where the question comes only now.
    const waiting = this.#waiting
    const asked = this.#question(await look.readings(), look.release)
    if (asked === undefined) return undefined
    const { projection, key } = asked
    const after = await look.after
    const answer = await this.#ask({ ...look, after }, projection, key, waiting)
    if (answer === undefined) return undefined
    const { position } = answer
    must(position >= after, () => `a reader who asked for ${after} was answered as of ${position}`)
    const readings = await look.readings()
    return { position, check: () => checkAnswer(answer, { projection, key }, readings, look.mode) }
  }

  #question(readings: readonly Reading[], release: Release): Question | undefined {
    if (readings.length === 0) return undefined
    const { event } = this.#random.pick(readings)
    if (event === undefined) return undefined
    const handling = release.filter(({ handles }) => handles !== 'every' && handles.includes(event.type))
    const projection = handling.length === 0 ? undefined : this.#random.pick(handling)
    try {
      const key = projection?.keys(event)[0]
      return projection === undefined || key === undefined ? undefined : { projection, key }
    } catch {
      return undefined
    }
  }

  async #ask(
    look: Asked,
    projection: AnyProjection,
    key: string,
    waiting: Set<object>,
  ): Promise<LiveAnswer | undefined> {
    const token = {}
    waiting.add(token)
    const answer = await (this.#random.percent(50)
      ? fromMemory(look, projection, key)
      : fromStore(look, projection, key))
    waiting.delete(token)
    return answer
  }
}

function fromMemory(
  { life, after }: Asked,
  { name }: AnyProjection,
  key: string,
): Promise<LiveAnswer | undefined> {
  return new Promise((answer) => {
    life.projector.read({ projections: [name], key, after, withinMs: Number.MAX_SAFE_INTEGER, answer })
  })
}

/** undefined: builds are switched, or it took too long. */
async function fromStore(
  { life, after, isSwitching }: Asked,
  { name }: AnyProjection,
  key: string,
): Promise<LiveAnswer | undefined> {
  if (!(await life.store.waitFor(after, STORE_MS)) || isSwitching()) return undefined
  const answer = await life.store.get([name], key)
  return isSwitching() ? undefined : answer
}

/** By the machine's clock: more than any run takes. */
const STORE_MS = 300_000

function checkAnswer(
  { position, value }: LiveAnswer,
  { projection: asked, key }: Question,
  all: readonly Reading[],
  mode: BuildsMode,
): void {
  const readings = upTo(all, position)
  const of = `${asked.name} of ${key}, read at ${position}`
  const most = mode === 'hold' ? Number.POSITIVE_INFINITY : 1
  const configs = possibleConfigurations(all, position, most).map(({ config }) => config)
  const check = (groups: Groups, config: Configuration): void => {
    const members = groups.get(key) ?? [key]
    const told = value.members
    must(isDeepStrictEqual([...told], [...members]), () => `${of}: members ${told.join(' ')}`)
    const rowKey = asked.table.grain === 'profile' ? members[0] : key
    const found = new Map(
      (value.rows.get(asked.name) ?? []).map((row) => [JSON.stringify([row.key, row.part]), row.row]),
    )
    const projection = asked.under?.(config) ?? asked
    const { states } = foldPlainly(projection, readings, config)
    const rows = [...plainRows(projection, states, config, groups)]
    compareRows(of, found, new Map(rows.filter(([name]) => JSON.parse(name)[0] === rowKey)))
  }
  const failures = possibleGroups(all, position).flatMap((groups) =>
    configs.map((config) => violationOf(() => check(groups, config))),
  )
  const [first] = failures
  if (first !== undefined && !failures.includes(undefined)) throw first
}

function violationOf(act: () => void): Violation | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof Violation) return error
    throw error
  }
}
