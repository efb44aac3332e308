import { join } from 'node:path'

/**
 * Imported for what it does: threads and processes that a test starts take their modules as they were compiled last, which
 * halves what an engine's start costs.
 */
process.env['NODE_COMPILE_CACHE'] ??= join(
  import.meta.dirname,
  ...['..', '..', 'node_modules', '.cache', 'compiled'],
)
