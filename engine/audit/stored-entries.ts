import type { AuditFiles } from './audit-files.ts'
import { splitBundle } from './entries.ts'
import { TILE_WIDTH, tilePath } from './format.ts'

/** The entries of a bundle as stored, the widest partial one where it isn't full. */
export function storedEntries(files: AuditFiles, index: number): readonly Uint8Array[] | undefined {
  const path = tilePath({ level: 'entries', index, width: TILE_WIDTH })
  const full = files.read(path)
  const widths =
    full === undefined ? files.list(`${path}.p`).filter((name) => /^[1-9]\d{0,2}$/.test(name)) : []
  const width = Math.max(0, ...widths.map(Number))
  const bytes = full ?? (width === 0 ? undefined : files.read(`${path}.p/${width}`))
  return bytes === undefined ? undefined : splitBundle(bytes)
}
