export interface BenchOptions {
  /** Under a minute, the same names. */
  readonly quick: boolean
  /** Parts to run, by name; empty: all. */
  readonly only: readonly string[]
  /** The last line printed is one JSON object. */
  readonly json: boolean
  /** The checkout. */
  readonly root: string
  /** What was found; standard output. */
  readonly print: (text: string) => void
  /** What is going on; standard error. */
  readonly say: (line: string) => void
}

/** One question that a bench answers; the promise is the exit code. */
export interface Question {
  readonly about: string
  /** What `--only` may name. */
  readonly parts: readonly string[]
  readonly run: (options: BenchOptions) => Promise<number>
}
