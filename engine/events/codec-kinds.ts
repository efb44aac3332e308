import * as t from 'io-ts'
import { PersonalType } from './codec.ts'
import { FieldType } from './fields.ts'

/** The io-ts types that the catalogue may use, as a closed union: whoever walks codecs covers all of them. */
type CodecKind =
  | { readonly kind: 'personal'; readonly codec: PersonalType<t.Mixed> }
  | { readonly kind: 'field'; readonly codec: FieldType<string | number> }
  | { readonly kind: 'object'; readonly props: Readonly<Record<string, t.Mixed>>; readonly required: boolean }
  | { readonly kind: 'intersection'; readonly parts: readonly t.Mixed[] }
  | { readonly kind: 'union'; readonly members: readonly t.Mixed[] }
  | { readonly kind: 'array'; readonly element: t.Mixed }
  | { readonly kind: 'dictionary'; readonly value: t.Mixed }
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | { readonly kind: 'any_object' | 'any_array' | 'boolean' | 'null' | 'unknown' }

/** Throws for an io-ts type that isn't in use: add it to `CodecKind`, and the compiler names the places to extend. */
export function kindOf(codec: t.Mixed): CodecKind {
  if (codec instanceof PersonalType) return { kind: 'personal', codec }
  if (codec instanceof FieldType) return { kind: 'field', codec }
  if (codec instanceof t.InterfaceType) return { kind: 'object', props: codec.props, required: true }
  if (codec instanceof t.PartialType) return { kind: 'object', props: codec.props, required: false }
  if (codec instanceof t.IntersectionType) return { kind: 'intersection', parts: codec.types }
  if (codec instanceof t.UnionType) return { kind: 'union', members: codec.types }
  if (codec instanceof t.ArrayType) return { kind: 'array', element: codec.type }
  if (codec instanceof t.DictionaryType) return { kind: 'dictionary', value: codec.codomain }
  if (codec instanceof t.LiteralType) return { kind: 'literal', value: codec.value }
  if (codec instanceof t.KeyofType) return { kind: 'choice', values: Object.keys(codec.keys) }
  if (codec instanceof t.AnyDictionaryType) return { kind: 'any_object' }
  if (codec instanceof t.AnyArrayType) return { kind: 'any_array' }
  if (codec instanceof t.BooleanType) return { kind: 'boolean' }
  if (codec instanceof t.NullType) return { kind: 'null' }
  if (codec instanceof t.UnknownType) return { kind: 'unknown' }
  throw new Error(`codec ${codec.name} is of a type that the catalogue doesn't use`)
}

export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`)
}
