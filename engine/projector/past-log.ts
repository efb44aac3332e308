import type { RecordedEvent } from '../events/event.ts'
import type { LogReader } from '../log/log.ts'
import { toPlain } from '../log/recorded.ts'
import { counts, type Moment } from './asof.ts'

/** Events that are held at once while they are put in the order of their time. */
const WINDOW_EVENTS = 50_000

interface PastReading {
  readonly types?: ReadonlySet<string> | undefined
  readonly signal: AbortSignal
  /** Told how far reading has come, in positions of the log. */
  readonly onProgress?: ((position: number) => void) | undefined
  /** Default 50,000. */
  readonly windowEvents?: number | undefined
}

type Batches = AsyncGenerator<readonly RecordedEvent[]>

/**
 * The events that count at a moment, in batches: as `received` in the order of the log, as `occurred` in the order of
 * their time, those of one instant in the order of the log. Ends early when `signal` aborts. Throws `LogDamaged`.
 *
 * The order of time takes one pass over the envelopes and then one over the part of the log where each window of
 * events lies: two passes where events came about when they happened, more the later they came.
 */
export async function* eventsAt(log: Pick<LogReader, 'read'>, moment: Moment, reading: PastReading): Batches {
  if (moment.by === 'received') yield* inLogOrder(log, moment, reading)
  else yield* inTimeOrder(log, moment, reading)
}

async function* inLogOrder(log: Pick<LogReader, 'read'>, moment: Moment, reading: PastReading): Batches {
  for await (const batch of upTo(log, moment, reading, 1)) {
    const counted = batch.filter((event) => counts(moment, event))
    if (counted.length > 0) yield counted
    reading.onProgress?.(batch.at(-1)?.position ?? 0)
  }
}

/** Whole batches until the moment's position is reached. */
async function* upTo(
  log: Pick<LogReader, 'read'>,
  { position }: Pick<Moment, 'position'>,
  { types, signal }: PastReading,
  from: number,
): Batches {
  if (position === 0) return
  for await (const batch of log.read({ from, types })) {
    if (signal.aborted) return
    yield batch
    if ((batch.at(-1)?.position ?? 0) >= position) return
  }
}

/** Consecutive instants, both inclusive (ms), and where in the log their events lie. */
interface TimeWindow {
  readonly from: number
  readonly to: number
  first: number
  last: number
}

async function* inTimeOrder(log: Pick<LogReader, 'read'>, moment: Moment, reading: PastReading): Batches {
  const windows = await windowsOf(log, moment, reading)
  for (const [at, window] of windows.entries()) {
    if (reading.signal.aborted) return
    // One instant needs no sorting, however many events it has.
    const batches = window.from === window.to ? within(log, moment, reading, window) : undefined
    if (batches === undefined) yield await sortedWindow(log, moment, reading, window)
    else yield* batches
    reading.onProgress?.(Math.floor((moment.position * (at + 1)) / windows.length))
  }
}

async function sortedWindow(
  log: Pick<LogReader, 'read'>,
  moment: Moment,
  reading: PastReading,
  window: TimeWindow,
): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  // Copied: an event that is decoded lazily keeps all that was read with it in memory.
  for await (const batch of within(log, moment, reading, window))
    for (const event of batch) events.push(toPlain(event))
  // Stable: events of one instant keep the order of the log.
  return events.sort((a, b) => a.time - b.time)
}

async function* within(
  log: Pick<LogReader, 'read'>,
  moment: Moment,
  reading: PastReading,
  { from, to, first, last }: TimeWindow,
): Batches {
  for await (const batch of upTo(log, { position: last }, reading, first)) {
    const counted = batch.filter(
      (event) => event.position <= last && event.time >= from && event.time <= to && counts(moment, event),
    )
    if (counted.length > 0) yield counted
  }
}

/** Windows of at most so many events, or of one instant. */
async function windowsOf(
  log: Pick<LogReader, 'read'>,
  moment: Moment,
  reading: PastReading,
): Promise<readonly TimeWindow[]> {
  const times = new Numbers()
  const positions = new Numbers()
  for await (const batch of upTo(log, moment, reading, 1)) {
    for (const event of batch) {
      if (!counts(moment, event)) continue
      times.push(event.time)
      positions.push(event.position)
    }
  }
  const inOrder = times.values().slice().sort()
  const windows = cut(inOrder, reading.windowEvents ?? WINDOW_EVENTS)
  const [all, places] = [times.values(), positions.values()]
  for (let i = 0; i < all.length; i++) {
    const window = windows[windowAt(windows, all[i] ?? 0)]
    const place = places[i] ?? 0
    if (window === undefined) continue
    if (window.first === 0) window.first = place
    window.last = place
  }
  return windows
}

function cut(times: Float64Array, size: number): TimeWindow[] {
  const windows: TimeWindow[] = []
  for (let start = 0; start < times.length; ) {
    const from = times[start] ?? 0
    let end = Math.min(start + size, times.length)
    const beyond = times[end]
    if (times[end - 1] === beyond) {
      // An instant isn't cut in two: it is left to the next window, or is one by itself.
      if (from === beyond) while (times[end] === from) end += 1
      else while (times[end - 1] === beyond) end -= 1
    }
    windows.push({ from, to: times[end - 1] ?? from, first: 0, last: 0 })
    start = end
  }
  return windows
}

function windowAt(windows: readonly TimeWindow[], time: number): number {
  let low = 0
  let high = windows.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((windows[middle]?.to ?? 0) < time) low = middle + 1
    else high = middle
  }
  return low
}

/** A list of numbers outside the heap. */
class Numbers {
  #values = new Float64Array(1024)
  #length = 0

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(this.#length * 2)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.#length] = value
    this.#length += 1
  }

  values(): Float64Array {
    return this.#values.subarray(0, this.#length)
  }
}
