import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Collects garbage before something is measured: what one contender left behind, and the making of events, would
 * otherwise be paid by the next.
 */
export function collectGarbage(): void {
  collect ??= exposedGc()
  collect()
}

let collect: (() => void) | undefined

function exposedGc(): () => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  return typeof gc === 'function' ? () => void Reflect.apply(gc, undefined, []) : () => undefined
}
