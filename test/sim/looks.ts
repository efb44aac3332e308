import { isDeepStrictEqual } from 'node:util'
import type { LiveAnswer } from '../../engine/projector/live-reads.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { compareRows, possibleConfigurations, upTo } from './check-reads.ts'
import type { Life } from './life.ts'
import { foldPlainly, groupsOf, plainRows, type Reading } from './oracle.ts'
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
  /** The log as it is when called. */
  readonly readings: () => Promise<readonly Reading[]>
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
  #waiting = new Set<object>()

  constructor(random: Random) {
    this.#random = random
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Nobody answers those that still wait. */
  forget(): void {
    this.#waiting = new Set()
  }

  /** undefined: there is nothing to ask for, or it isn't answered while builds are switched. */
  async look(look: Look): Promise<Looked | undefined> {
    const asked = this.#question(await look.readings(), look.release)
    if (asked === undefined) return undefined
    const { projection, key } = asked
    const after = await look.after
    const answer = await this.#ask({ ...look, after }, projection, key)
    if (answer === undefined) return undefined
    const { position } = answer
    must(position >= after, () => `a reader who asked for ${after} was answered as of ${position}`)
    const readings = upTo(await look.readings(), position)
    return { position, check: () => checkAnswer(answer, projection, key, readings) }
  }

  #question(
    readings: readonly Reading[],
    release: Release,
  ): { readonly projection: AnyProjection; readonly key: string } | undefined {
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

  async #ask(look: Asked, projection: AnyProjection, key: string): Promise<LiveAnswer | undefined> {
    const token = {}
    this.#waiting.add(token)
    const answer = await (this.#random.percent(50)
      ? fromMemory(look, projection, key)
      : fromStore(look, projection, key))
    this.#waiting.delete(token)
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
  projection: AnyProjection,
  key: string,
  readings: readonly Reading[],
): void {
  const groups = groupsOf(readings)
  const members = groups.get(key) ?? [key]
  const of = `${projection.name} of ${key}, read at ${position}`
  must(isDeepStrictEqual([...value.members], [...members]), () => `${of}: members ${value.members.join(' ')}`)
  const rowKey = projection.table.grain === 'profile' ? members[0] : key
  const found = new Map(
    (value.rows.get(projection.name) ?? []).map((row) => [JSON.stringify([row.key, row.part]), row.row]),
  )
  const last = readings.at(-1)?.recorded.type
  const isPublished = projection.configuredBy.some((type) => type === last)
  // Who asks just when something was published may be answered by what was published before.
  const failures = possibleConfigurations(readings, isPublished).map(({ config }) => {
    const { states } = foldPlainly(projection, readings, config)
    const rows = [...plainRows(projection, states, config, groups)]
    const plain = new Map(rows.filter(([name]) => JSON.parse(name)[0] === rowKey))
    return violationOf(() => compareRows(of, found, plain))
  })
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
