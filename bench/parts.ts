import { measureWithin } from './interruption.ts'
import type { BenchOptions } from './question.ts'

interface Lab {
  readonly aborted: boolean
  readonly say: (line: string) => void
  abort(): unknown
  close(): unknown
}

interface Findings {
  /** Of what fails, a line each. */
  readonly failures: string[]
}

/** What a bench measures, by the names that `--only` takes. */
export type Parts<L, F> = readonly (readonly [
  name: string,
  about: string,
  part: (lab: L, findings: F) => Promise<void>,
])[]

interface Question<L extends Lab, F extends Findings> {
  readonly lab: L
  readonly findings: F
  readonly parts: Parts<L, F>
  readonly deadlineMs: number
  /** Shows what was found; its exit code. */
  readonly present: () => number
}

/** Measures part by part; one that fails leaves the others. Exit code: that of `present`, 130 interrupted. */
export async function measureParts<L extends Lab, F extends Findings>(
  { lab, findings, parts, deadlineMs, present }: Question<L, F>,
  { only }: Pick<BenchOptions, 'only'>,
): Promise<number> {
  const measure = async (): Promise<void> => {
    for (const [name, about, part] of parts) {
      if (lab.aborted) break
      if (only.length > 0 && !only.includes(name)) continue
      lab.say(`${name}: ${about} …`)
      await part(lab, findings).catch((error: unknown) => {
        if (!lab.aborted)
          findings.failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
      })
    }
  }
  try {
    const why = await measureWithin(deadlineMs, measure, () => lab.abort(), findings.failures)
    return why === 'signal' ? 130 : present()
  } finally {
    await lab.close()
  }
}
