/**
 * Lets go on together what came in one turn of the event loop: appends that reach the intake one by one would be groups, and
 * commits, of their own.
 */
export class Gathering {
  #turn: Promise<void> | undefined

  /** Resolves for all at once, when everything that has been received by now has been looked at. */
  together(): Promise<void> {
    this.#turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#turn = undefined
        resolve()
      })
    })
    return this.#turn
  }
}
