/**
 * Theorem: an index that was made on one EventStoreDB, and holds no event of it, is not believed on another: what was acknowledged
 * there before keeps its place.
 */
import * as E from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { serve } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { anEvent, appends } from './events.ts'
import { openedOn } from './eventstore-support.ts'
import { temporaryDirectory } from './support.ts'

test('an index of an empty log that has been opened, taken to a log with events', async () => {
  const [own, theirs] = [temporaryDirectory(), temporaryDirectory()]
  const servers = await Promise.all([serve(memoryBackend()), serve(memoryBackend())])
  const [empty, full] = servers
  try {
    // Twice: the second opening reads the first one's marker.
    for (let n = 0; n < 2; n++) await (await openedOn(empty, own.path)).close()
    const before = await openedOn(full, theirs.path)
    expect((await before.append(appends(anEvent({ id: 'a' }), anEvent({ id: 'b' })))).every(E.isRight)).toBe(
      true,
    )
    await before.close()
    const log = await openedOn(full, own.path)
    expect(log.head().position).toBe(2)
    const [again] = await log.append(appends(anEvent({ id: 'c' })))
    expect(again).toMatchObject({ right: { position: 3 } })
    await log.close()
    const anew = await openedOn(full, theirs.path)
    expect(anew.head().position).toBe(3)
    await anew.close()
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    own.remove()
    theirs.remove()
  }
})
