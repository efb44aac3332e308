import { join } from 'node:path'

/** Samples that once broke a law of a projection, one a file. */
export const REGRESSIONS: string = join(import.meta.dirname, '..', 'regressions', 'projections')
