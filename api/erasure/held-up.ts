/** An erasure can't go on for now: the kind of failure, never personal data. It is tried again later. */
export class ErasureHeldUp extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'ErasureHeldUp'
  }
}

/** One that has begun can't be completed at the start, and nothing may be served before; a whole sentence. */
export class ErasureUnfinished extends Error {
  constructor(why: string) {
    super(
      `an erasure that has begun can't be completed, and nothing is served before it is: ${why}. ` +
        'See that the disk has room and that no other program has the data directory open, then start again; ' +
        'where the read models are at fault, remove read-models.sqlite* first: they are folded anew from the log',
    )
    this.name = 'ErasureUnfinished'
  }
}
