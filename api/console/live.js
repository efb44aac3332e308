/** @import { Answer, Figures, Health, Reply, RevenueFigures, Snapshot, StageFigures } from './answers.d.ts' */
import { address, get, getAny } from './api.js'
import { countOpenCases } from './cases.js'

/** The engine's counts, asked for about once a second while somebody looks. */

const LEAST_PAUSE_MS = 1000
const MOST_PAUSE_MS = 5000
/** Counting people takes longer the more there are: where it takes long, it is done less often. */
const PAUSE_PER_COST = 4
const RATES_KEPT = 60

/** @typedef {(snapshot: Snapshot) => void} Listener */

export class Live {
  /** @type {Snapshot} */
  snapshot = { health: undefined, figures: undefined, rate: undefined, rates: [], failure: undefined }
  /** @type {Set<Listener>} */
  #listeners = new Set()
  #running = 0
  #countedAtMs = 0

  /** @param {Listener} listener */
  listen(listener) {
    this.#listeners.add(listener)
  }

  start() {
    this.#running += 1
    void this.#run(this.#running)
  }

  /** Forgets what was seen as well: whoever signs in next may see something else. */
  stop() {
    this.#running += 1
    this.#countedAtMs = 0
    this.snapshot = { health: undefined, figures: undefined, rate: undefined, rates: [], failure: undefined }
  }

  /** @param {number} run */
  async #run(run) {
    while (run === this.#running) {
      // Frames aren't drawn in a hidden tab: neither do we ask then.
      const startedMs = await frame()
      if (run !== this.#running) return
      const snapshot = await this.#ask()
      const endedMs = await frame()
      if (run !== this.#running) return
      this.#publish(this.#withRate(snapshot, endedMs))
      await sleep(pauseMs(endedMs - startedMs))
    }
  }

  /** @param {Snapshot} snapshot */
  #publish(snapshot) {
    this.snapshot = snapshot
    for (const listener of this.#listeners) listener(snapshot)
  }

  /** @returns {Promise<Snapshot>} */
  async #ask() {
    const before = this.snapshot
    /** @type {Reply<Health>} */
    const health = await getAny('/readyz')
    if (!health.ok) return { ...before, rate: undefined, failure: health.failure }
    const same = before.figures?.position === health.body.projected
    if (same && before.failure === undefined) return { ...before, health: health.body, failure: undefined }
    const figures = await this.#figures()
    if (!figures.ok) return { ...before, health: health.body, rate: undefined, failure: figures.failure }
    // The figures were asked for later, and may be further.
    const { position } = figures.body
    const head = Math.max(health.body.head, position)
    const projected = Math.max(health.body.projected, position)
    return {
      ...before,
      health: { ...health.body, head, projected },
      figures: figures.body,
      failure: undefined,
    }
  }

  /** @returns {Promise<Reply<Figures>>} */
  async #figures() {
    /** @type {[Reply<Answer<readonly { events: number | null }[]>>, Reply<Answer<readonly { people: number }[]>>, Reply<Answer<readonly StageFigures[]>>, Reply<Answer<readonly RevenueFigures[]>>, number | undefined]} */
    const [events, people, stages, revenue, cases] = await Promise.all([
      get(address('/v1/analytics/events', { by: '' })),
      get(address('/v1/analytics/people', { by: '' })),
      get(address('/v1/pipeline', { by: 'stage,stage_label,stage_position,status' })),
      get(address('/v1/analytics/revenue', { by: '' })),
      countOpenCases(),
    ])
    if (!events.ok) return events
    if (!people.ok) return people
    if (!stages.ok) return stages
    if (!revenue.ok) return revenue
    const { position, asOf, data } = events.body
    return {
      ok: true,
      body: {
        events: data[0]?.events ?? 0,
        people: people.body.data[0]?.people ?? 0,
        stages: stages.body.data,
        revenue: revenue.body.data,
        openCases: cases,
        position,
        asOf,
      },
    }
  }

  /**
   * @param {Snapshot} snapshot
   * @param {number} nowMs
   * @returns {Snapshot}
   */
  #withRate(snapshot, nowMs) {
    const { figures, failure } = snapshot
    if (figures === undefined || failure !== undefined) return snapshot
    const before = this.snapshot.figures
    const passedMs = nowMs - this.#countedAtMs
    this.#countedAtMs = nowMs
    if (before === undefined || passedMs <= 0) return snapshot
    const rate = Math.max(0, ((figures.events - before.events) * 1000) / passedMs)
    return { ...snapshot, rate, rates: [...this.snapshot.rates, rate].slice(-RATES_KEPT) }
  }
}

/** @param {number} costMs */
function pauseMs(costMs) {
  return Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, costMs * PAUSE_PER_COST))
}

/** @returns {Promise<number>} ms since the page was opened */
function frame() {
  return new Promise((resolve) => requestAnimationFrame(resolve))
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
