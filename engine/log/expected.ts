import type { Appended, Expected, LogFailure } from './log.ts'

/** The place of a stream's next event. `head`: its last one, undefined for none. */
export function nextPlace(head: Appended | undefined, position: number): Appended {
  return { position, revision: (head?.revision ?? -1) + 1 }
}

/** The failure if the stream isn't as its writer believes. */
export function checkExpected(
  stream: string,
  expected: Expected | undefined,
  head: Appended | undefined,
): LogFailure | undefined {
  const actualRevision = head?.revision ?? -1
  const actualPosition = head?.position ?? 0
  if (expected === undefined) return undefined
  const holds =
    'revision' in expected ? expected.revision === actualRevision : expected.position === actualPosition
  return holds ? undefined : { _tag: 'WrongExpected', stream, actualRevision, actualPosition }
}
