import type { StreamReadOptions } from '../log.ts'

export type Direction = NonNullable<StreamReadOptions['direction']>

export function bound(direction: Direction): string {
  return direction === 'forwards' ? '>=' : '<='
}

export function ordered(direction: Direction): string {
  return `ORDER BY event.position ${direction === 'forwards' ? 'ASC' : 'DESC'}`
}

export function marks(values: ReadonlySet<string>): string {
  return [...values].map(() => '?').join(', ')
}
