import {
  DictionaryColumn,
  IdentityColumn,
  NumberColumn,
  TextColumn,
  UnsignedColumn,
} from './column-reader.ts'
import { MalformedError, type Unpacker } from './unpack.ts'

type NumberName =
  | 'time'
  | 'received'
  | 'revision'
  | 'schema'
  | 'normaliser'
  | 'sequence'
  | 'basedOn'
  | 'originalTime'
  | 'sentTime'
type TextName = 'stream' | 'id' | 'causation' | 'correlation'
type DictionaryName = 'source' | 'type' | 'actor' | 'origin'

/** A block's columns; those that are left out hold nothing but the default. */
export type Columns = { readonly [N in NumberName]?: NumberColumn } & {
  readonly [N in TextName]?: TextColumn
} & { readonly [N in DictionaryName]?: DictionaryColumn } & {
  readonly stream: TextColumn
  readonly id: TextColumn
  readonly source: DictionaryColumn
  readonly type: DictionaryColumn
  readonly time: NumberColumn
  readonly identities?: IdentityColumn
  readonly shape?: UnsignedColumn
  readonly payloadEnd: UnsignedColumn
  /** Names of columns that this reader doesn't know. */
  readonly unknown: readonly string[]
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const NUMBERS: ReadonlyMap<string, NumberName> = new Map<string, NumberName>([
  ['time', 'time'],
  ['received', 'received'],
  ['revision', 'revision'],
  ['schema', 'schema'],
  ['normaliser', 'normaliser'],
  ['sequence', 'sequence'],
  ['based_on', 'basedOn'],
  ['original_time', 'originalTime'],
  ['sent_time', 'sentTime'],
])
const TEXTS: ReadonlyMap<string, TextName> = new Map<string, TextName>([
  ['stream', 'stream'],
  ['id', 'id'],
  ['causation', 'causation'],
  ['correlation', 'correlation'],
])
const DICTIONARIES: ReadonlyMap<string, DictionaryName> = new Map<string, DictionaryName>([
  ['source', 'source'],
  ['type', 'type'],
  ['actor', 'actor'],
  ['origin', 'origin'],
])

/** Reads the map of columns at the unpacker's position. Throws `MalformedError` where one is missing or misshapen. */
export function readColumns(unpacker: Unpacker, count: number): Columns {
  const columns: Mutable<Partial<Columns>> = {}
  const unknown: string[] = []
  for (let left = unpacker.mapHead(); left > 0; left--) {
    const name = unpacker.string()
    if (readColumn(columns, name, unpacker, count)) continue
    unpacker.value()
    unknown.push(name)
  }
  const { stream, id, source, type, time, payloadEnd } = columns
  if (stream && id && source && type && time && payloadEnd) {
    return { ...columns, stream, id, source, type, time, payloadEnd, unknown }
  }
  throw new MalformedError('a column is missing', unpacker.position)
}

function readColumn(
  columns: Mutable<Partial<Columns>>,
  name: string,
  unpacker: Unpacker,
  count: number,
): boolean {
  const number = NUMBERS.get(name)
  const text = TEXTS.get(name)
  const dictionary = DICTIONARIES.get(name)
  if (number !== undefined) columns[number] = new NumberColumn(unpacker, count)
  else if (text !== undefined) columns[text] = new TextColumn(unpacker, count)
  else if (dictionary !== undefined) columns[dictionary] = new DictionaryColumn(unpacker, count)
  else if (name === 'identities') columns.identities = new IdentityColumn(unpacker, count)
  else if (name === 'shape') columns.shape = new UnsignedColumn(unpacker.binary(), count)
  else if (name === 'payload_end') columns.payloadEnd = new UnsignedColumn(unpacker.binary(), count)
  else return false
  return true
}
