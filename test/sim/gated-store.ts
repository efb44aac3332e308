import type { Commit, StoreWriter } from '../../engine/store/store.ts'
import type { Process } from './process.ts'

const READS: ReadonlySet<string | symbol> = new Set([
  'state',
  'due',
  'nextDue',
  'profileOf',
  'membersOf',
  'evidenceOf',
])

/**
 * The store as one process writes it: a call may be the one that the process dies in, and none does anything
 * afterwards. A commit that is given up half way has changed nothing.
 */
export function gatedStore(writer: StoreWriter, process: Process): StoreWriter {
  const walks = new Set<Generator<void, void>>()
  process.whenEnded(() => {
    if (walks.size > 0) process.note('killed: a commit of the read models was under way')
    for (const walk of walks) walk.return()
  })
  return new Proxy(writer, {
    get(target, name) {
      if (name === 'commitInSteps') return (commit: Commit) => stepped(target, commit, process, walks)
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (READS.has(name)) return value.bind(target)
      return (...given: readonly unknown[]) => process.doing(() => Reflect.apply(value, target, given))
    },
  })
}

function* stepped(
  writer: StoreWriter,
  commit: Commit,
  process: Process,
  walks: Set<Generator<void, void>>,
): Generator<void, void> {
  const walk = writer.commitInSteps(commit)
  walks.add(walk)
  try {
    while (process.doing(() => walk.next()).done !== true) yield
  } finally {
    walks.delete(walk)
    walk.return()
  }
}
