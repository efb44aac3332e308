export interface ClosedLoop {
  /** Resolves when it was stopped, or has nothing left to send, and everything is answered. */
  readonly finished: Promise<void>
  /** Returns, like an open loop's, what was due and not sent: nothing ever is. */
  stop(): readonly number[]
}

/** Keeps `inFlight` under way: for the highest rate, where latency isn't asked. `send` is false when nothing is left. */
export function startClosedLoop(inFlight: number, send: (done: () => void) => boolean): ClosedLoop {
  const { promise: finished, resolve } = Promise.withResolvers<void>()
  let underWay = 0
  let ended = false
  let filling = false
  const fill = (): void => {
    if (filling) return
    filling = true
    while (!ended && underWay < inFlight) {
      underWay += 1
      const more = send(() => {
        underWay -= 1
        fill()
      })
      if (!more) {
        underWay -= 1
        ended = true
      }
    }
    filling = false
    if (ended && underWay === 0) resolve()
  }
  fill()
  return {
    finished,
    stop() {
      ended = true
      fill()
      return []
    },
  }
}
