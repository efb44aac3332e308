import assert from 'node:assert/strict'
import { parentPort } from 'node:worker_threads'
import { BoundedCache } from '../../engine/bounded-cache.ts'
import { giveWay } from '../../engine/give-way.ts'
import type { MatchingAnswer, MatchingOrder } from './filter-matching.ts'

/** The thread that matches clients' regular expressions: neither compiling nor matching one can be interrupted in a thread. */

assert.ok(parentPort !== null, 'this module is started as a worker')
const port = parentPort
const patterns = new BoundedCache<string, RegExp>(100)

giveWay()

port.on('message', ({ pattern, names }: MatchingOrder) => {
  const regex = patterns.get(pattern) ?? new RegExp(pattern, 'u')
  patterns.set(pattern, regex)
  const found: MatchingAnswer = names.map((name) => regex.test(name))
  port.postMessage(found)
})
