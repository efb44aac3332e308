/**
 * Theorem: what the index of a log in EventStoreDB remembers between transactions is what lies in its file: whatever is written, in
 * whichever transactions, and whichever of them fail, it answers as one does that has just been opened.
 */
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { IndexFile } from '../../engine/log/eventstore/index-file.ts'
import { temporaryDirectory } from './support.ts'

const STREAMS = ['deal-1', 'deal-2', 'deal-3']

interface Write {
  readonly stream: number
  readonly kind: 'event' | 'theirs' | 'stray'
}
interface Transaction {
  readonly writes: readonly Write[]
  readonly fails: boolean
}

const write = fc.record<Write>({
  stream: fc.nat({ max: STREAMS.length - 1 }),
  kind: fc.constantFrom('event', 'event', 'theirs', 'stray'),
})
const transaction = fc.record<Transaction>({
  writes: fc.array(write, { maxLength: 6 }),
  fails: fc.boolean(),
})

class Failed extends Error {}

/** Places are given after what the index says. */
function apply(index: IndexFile, { writes, fails }: Transaction): void {
  const begin = index.head().position
  const work = (): void => {
    let position = begin
    for (const { stream, kind } of writes) {
      const name = STREAMS[stream] ?? ''
      position++
      if (kind === 'stray') index.addStray(`stray-${position}`)
      else if (kind === 'theirs') index.sawRevision(name, position)
      else
        index.add({
          ...{ position, commit: 10 * position, arrival: position, received: 1_000 + position },
          ...{ stream: name, type: `t${position % 2}`, key: position, eventId: `e${position}` },
          identities: new Set(),
        })
    }
    index.moveCheckpoint({ commit: position, next: position + 1, writer: `w${position}`, arrival: position })
    if (fails) throw new Failed()
  }
  try {
    index.transaction(work)
  } catch (error) {
    if (!(error instanceof Failed)) throw error
  }
}

function answers(index: IndexFile) {
  const positions = Array.from({ length: 80 }, (_, n) => n + 1)
  return {
    ...{ head: index.head(), newest: index.newest(), checkpoint: index.checkpoint() },
    streams: STREAMS.map((name) => [
      ...[index.streamHead(name), index.theirRevision(name)],
      index.ofStream(name, 'forwards', 1, 100),
    ]),
    types: index.range('forwards', 1, 100, new Set(['t1'])),
    strays: positions.filter((position) => index.isStray(`stray-${position}`)),
    keys: index.keysAmong(positions),
  }
}

it('answers as its file does', () => {
  const directory = temporaryDirectory()
  let files = 0
  try {
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 8 }), (transactions) => {
        const path = join(directory.path, `${files++}.sqlite`)
        const index = new IndexFile(path)
        for (const each of transactions) {
          const before = answers(index)
          apply(index, each)
          if (each.fails) expect(answers(index)).toEqual(before)
          const opened = new IndexFile(path)
          expect(answers(index)).toEqual(answers(opened))
          opened.close()
        }
        index.close()
      }),
      { numRuns: 40 },
    )
  } finally {
    directory.remove()
  }
})
