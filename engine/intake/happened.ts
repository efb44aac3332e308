import { EARLIEST_TIME, type StatedEnvelope } from './envelope.ts'

/** A sender's clock may be this far ahead; beyond, what it says of the time is not believed. */
const MAX_AHEAD_MS = 10 * 60_000

/**
 * When it happened: what the sender says, corrected by its clock's skew where it says when it sent it
 * (`received − (sent − original)`, as Segment's spec has it), and never far ahead of `received`.
 */
export function happened(
  envelope: StatedEnvelope,
  received: number,
): { readonly time: number; readonly originalTime: number | undefined } {
  if (envelope.time === undefined) return { time: received, originalTime: undefined }
  const corrected = envelope.sent === undefined ? envelope.time : received - (envelope.sent - envelope.time)
  // A sending time that leads before all times says nothing about the clock.
  const time = corrected < EARLIEST_TIME ? envelope.time : corrected
  const believed = time > received + MAX_AHEAD_MS ? received : time
  return { time: believed, originalTime: believed === envelope.time ? undefined : envelope.time }
}
