/**
 * Theorem: a small message waits for room, of which a call has some; a large one until it is written, so that a reader that is slow
 * holds one and not as many as a call has room for; neither waits longer than the call lasts.
 */
import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { send } from '../../api/esdb/calls.ts'

const [SMALL, LARGE] = [1_000, 900_000]

class Call extends EventEmitter {
  readonly cancelled = false
  readonly destroyed = false
  hasRoom = true
  readonly written: (() => void)[] = []

  write(_message: string, written?: () => void): boolean {
    if (written !== undefined) this.written.push(written)
    return this.hasRoom
  }
}

let call: Call
let over: AbortController
let isSent: boolean

beforeEach(() => {
  call = new Call()
  over = new AbortController()
})

async function sending(sizeBytes: number): Promise<void> {
  isSent = false
  void send(call, 'a message', over.signal, sizeBytes).then(() => {
    isSent = true
  })
  await setImmediate()
}

test('a small one', async () => {
  await sending(SMALL)
  expect(isSent).toBe(true)
  call.hasRoom = false
  await sending(SMALL)
  expect(isSent).toBe(false)
  call.emit('drain')
  await setImmediate()
  expect([isSent, call.listenerCount('drain')]).toEqual([true, 0])
})

test('a large one', async () => {
  await sending(LARGE)
  call.emit('drain')
  await setImmediate()
  expect(isSent).toBe(false)
  call.written[0]?.()
  await setImmediate()
  expect(isSent).toBe(true)
})

test.each([SMALL, LARGE])('one of %i bytes when the call is over', async (sizeBytes) => {
  call.hasRoom = false
  await sending(sizeBytes)
  expect(isSent).toBe(false)
  over.abort()
  await setImmediate()
  expect([isSent, call.listenerCount('drain')]).toEqual([true, 0])
  const before = call.written.length
  await sending(sizeBytes)
  expect([isSent, call.written.length]).toEqual([true, before])
})
