import { hash } from 'node:crypto'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** Drawn once by lot; fixed, since ids must not change. */
const NAMESPACE = Buffer.from('782eb42c1a07448699fc89bc70353c82', 'hex')
/** Hexadecimal. */
const KEY_DIGITS = 12

/** An id that is a UUID as it is; else UUIDv5 (RFC 9562, 5.5) of the source, a line feed and the id. */
export function uuidOf(source: string, id: string): string {
  return UUID.test(id) ? id.toLowerCase() : uuidv5(`${source}\n${id}`)
}

/** Of an event whose first choice another event has: EventStoreDB takes an id once. No two writers' are alike. */
export function nextUuid(uuid: string, writer: string, position: number): string {
  return uuidv5(`${uuid}\n${writer}\n${position}`)
}

/** 48 bits that the index looks an id up by; hardly ever alike for two. */
export function keyOf(uuid: string): number {
  return Number.parseInt(hash('sha1', uuid, 'hex').slice(0, KEY_DIGITS), 16)
}

function uuidv5(name: string): string {
  const bytes = hash('sha1', Buffer.concat([NAMESPACE, Buffer.from(name)]), 'buffer').subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
