/**
 * Theorem: messages are taken in the order in which they came; those of one read of a socket for 4 ms of each half of a turn, unless more than
 * 4 MiB wait; in the end all of them.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { manualClock } from '../../engine/clock.ts'
import { Inbox } from '../../engine/intake/nats/inbox.ts'

/** Of which each takes a millisecond. */
function inboxOfSlowOnes() {
  const clock = manualClock(0)
  const taken: number[] = []
  const inbox = new Inbox<number>((message) => {
    clock.advance(1)
    taken.push(message)
  }, clock)
  return { inbox, taken }
}

const range = (from: number, until: number): readonly number[] =>
  Array.from({ length: until - from }, (_, index) => from + index)

test('a few are taken at once', () => {
  const { inbox, taken } = inboxOfSlowOnes()
  for (const message of range(0, 3)) inbox.add(message, 100)
  expect(taken).toEqual([0, 1, 2])
})

test('of many as many in a turn as fit, and whoever shares the thread in between', async () => {
  const { inbox, taken } = inboxOfSlowOnes()
  for (const message of range(0, 20)) inbox.add(message, 100)
  expect(taken).toEqual(range(0, 4))
  const seen: number[] = []
  while (taken.length < 20 && seen.length < 100) {
    await turn()
    seen.push(taken.length)
  }
  expect(seen).toEqual([8, 12, 16, 20])
  expect(taken).toEqual(range(0, 20))
})

test('what comes while others wait is behind them', async () => {
  const { inbox, taken } = inboxOfSlowOnes()
  for (const message of range(0, 10)) inbox.add(message, 100)
  await turn()
  for (const message of range(10, 14)) inbox.add(message, 100)
  for (let turns = 0; turns < 10; turns++) await turn()
  for (const message of range(14, 16)) inbox.add(message, 100)
  expect(taken).toEqual(range(0, 16))
})

test('more bytes than may wait are taken without a pause', () => {
  const { inbox, taken } = inboxOfSlowOnes()
  for (const message of range(0, 12)) inbox.add(message, 1024 * 1024 - 512)
  expect(taken).toEqual(range(0, 8))
})

test('messages without content take room too', () => {
  const { inbox, taken } = inboxOfSlowOnes()
  for (const message of range(0, 10_000)) inbox.add(message, 0)
  expect(taken).toEqual(range(0, 10_000 - (4 * 1024 * 1024) / 512))
})

test('many that come as fast as they are taken are all taken, in order', async () => {
  const { inbox, taken } = inboxOfSlowOnes()
  let sent = 0
  const send = (count: number): void => {
    for (const message of range(sent, sent + count)) inbox.add(message, 0)
    sent += count
  }
  send(1_500)
  for (let turns = 0; turns < 700; turns++) {
    send(4)
    await turn()
  }
  while (taken.length < sent) await turn()
  expect(taken).toEqual(range(0, sent))
})
