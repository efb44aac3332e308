import type { NewEvent } from '../../engine/events/event.ts'

/**
 * The events that the log and its peers are given: about 300 bytes of JSON each (what is empty not counted), ids at random as senders make them (so
 * an index over them is written all over), streams of eight, ten types mixed, and people who come back now and then.
 * Event k is the same in every run.
 */

/** An event with the place in its stream that those peers must be told which don't count themselves. */
export interface BenchEvent extends NewEvent {
  readonly revision: number
}

export const BATCH_EVENTS = 1_000
const STREAM_EVENTS = 8
/** Streams that are written to within a batch, in turn. */
const BATCH_STREAMS = BATCH_EVENTS / STREAM_EVENTS

export const TYPES = [
  'Product Viewed',
  'Product Added',
  'Cart Viewed',
  'Checkout Started',
  'Order Completed',
  'Email Opened',
  'Email Link Clicked',
  'activity.logged',
  'task.created',
  'case.updated',
] as const

const SOURCES = ['web', 'web', 'web', 'crm', 'marketing', 'erp'] as const
const T0 = Date.UTC(2026, 0, 1)
const EVENTS_PER_MS = 50

/** Each has this many events, spread over all of the log. */
export const PERSON_EVENTS = 100

export interface EventMaker {
  /** Event k; the population is fixed, so that each person has `PERSON_EVENTS` in so many events. */
  make(k: number): BenchEvent
  batch(firstK: number): readonly BenchEvent[]
}

/** `populationEvents`: after so many everybody has had all of their events. A thousandth of `seed` differs per log. */
export function createEventMaker(populationEvents: number, seed = 0): EventMaker {
  const half = halfOf(populationEvents)
  const make = (k: number): BenchEvent => {
    const a = mix(k, seed)
    const batch = Math.floor(k / BATCH_EVENTS)
    const within = k % BATCH_EVENTS
    const type = typeOf(k)
    const received = T0 + Math.floor(k / EVENTS_PER_MS)
    return {
      stream: streamName(batch * BATCH_STREAMS + (within % BATCH_STREAMS)),
      id: uuid(a, mix(k, seed + 1), mix(k, seed + 2), k),
      source: SOURCES[a % SOURCES.length] ?? 'web',
      type: TYPES[type] ?? TYPES[0],
      schema: 1,
      time: received - (a % 5_000),
      received,
      identities: [{ id: personId(personOf(k, half)), namespace: 'user' }],
      data: dataOf(a, type),
      normalised: {},
      normaliser: 1,
      sealed: [],
      revision: Math.floor(within / BATCH_STREAMS),
    }
  }
  return {
    make,
    batch: (firstK) => Array.from({ length: BATCH_EVENTS }, (_, i) => make(firstK + i)),
  }
}

/**
 * Half of the people come in visits of ten events within a thousand positions, as customers do; the events of the other
 * half are spread evenly, no two near each other, which no cache and no block helps with.
 */
export interface Population {
  readonly visitors: readonly [from: number, until: number]
  readonly spread: readonly [from: number, until: number]
}

export function populationOf(populationEvents: number): Population {
  const half = halfOf(populationEvents)
  return { visitors: [0, half], spread: [half, 2 * half] }
}

function halfOf(populationEvents: number): number {
  return Math.max(1, Math.floor(populationEvents / 2 / PERSON_EVENTS))
}

const VISIT_EVENTS = 10
/** Visits under way at once, their events in turn. */
const VISITS_AT_ONCE = 50

function personOf(k: number, half: number): number {
  const turn = Math.floor(k / 2)
  if (k % 2 === 1) return half + (turn % half)
  const round = Math.floor(turn / (VISITS_AT_ONCE * VISIT_EVENTS))
  return (round * VISITS_AT_ONCE + (turn % VISITS_AT_ONCE)) % half
}

/** Ten neighbours are of ten types, in an order that changes. */
function typeOf(k: number): number {
  return (k * 7 + Math.floor(k / TYPES.length)) % TYPES.length
}

/** 128 bits that look random: an identity's id as the key store makes them. */
export function personId(person: number): string {
  for (let i = 0; i < 3; i++) hexInto(scratch, 8 * i, mix(person, 11 + i))
  hexInto(scratch, 24, person)
  return scratch.toString('latin1', 0, 32)
}

const NOTES = Array.from({ length: 100 }, (_, i) => Buffer.from(`called, left word ${i}`).toString())
const PLACES = ['/pricing', '/features/search', '/docs/install', '/blog/why-logs', '/'] as const

/** Each type has keys of its own kind. */
function dataOf(a: number, type: number): Readonly<Record<string, unknown>> {
  switch (type % 3) {
    case 0:
      return {
        product: `sku-${a % 5_000}`,
        price: (a % 90_000) / 100,
        quantity: 1 + (a % 3),
        currency: 'EUR',
      }
    case 1:
      return { path: PLACES[a % PLACES.length], seconds: a % 300 }
    default:
      return { owner: `u-${a % 40}`, note: NOTES[a % NOTES.length] }
  }
}

/** A 32-bit mix of two numbers (the finisher of MurmurHash3). */
function mix(k: number, salt: number): number {
  let h = (k ^ Math.imul(salt + 1, 0x9e3779b9)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/**
 * Strings are made as decoders make them, each in one piece: putting parts together would leave the joining to whoever
 * reads them first.
 */
const scratch = Buffer.alloc(64)

function uuid(a: number, b: number, c: number, k: number): string {
  const digits = scratch
  hexInto(digits, 0, a)
  digits.write('-4', 8, 'latin1')
  hexInto(digits, 10, b)
  digits.write('-8', 18, 'latin1')
  hexInto(digits, 20, c)
  hexInto(digits, 28, k)
  return digits.toString('latin1', 0, 36)
}

function streamName(n: number): string {
  scratch.write('session-', 0, 'latin1')
  for (let at = 16, left = n; at >= 8; at--, left = Math.floor(left / 10)) scratch[at] = 0x30 + (left % 10)
  return scratch.toString('latin1', 0, 17)
}

const HEX_DIGITS = Buffer.from('0123456789abcdef')

function hexInto(into: Buffer, at: number, n: number): void {
  for (let i = 0; i < 8; i++) into[at + i] = HEX_DIGITS[(n >>> (28 - 4 * i)) & 0xf] ?? 0
}

/** As peers that keep text store what has no column of its own. What is empty is left out. */
export function bodyOf({ time, received, identities, data }: BenchEvent): string {
  return JSON.stringify({ time, received, identities, data })
}
