/**
 * Theorem: after an erasure no file of the data directory holds any of the person's values in any form, whatever held them
 * before: read models with their write-ahead log, full-text index and dropped builds, quarantine, keys, log, records of
 * erasures; nor does what the engine says of itself. Others stay as they were, totals don't move, and neither a restart
 * nor a rebuild of the read models brings anything back.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Engine } from '../../api/engine.ts'
import { certificateCodec } from '../../api/erasure/certificate.ts'
import type { Erasure } from '../../api/erasure/erasures.ts'
import { touchedPositions } from '../../api/erasure/touched.ts'
import { parseVerifierKey, verifyBundles } from '../../engine/audit/verify.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import {
  caughtUp,
  eraseNow,
  found,
  type Opened,
  openAt,
  rowsOf,
  send,
  temporaryDirectory,
} from './support.ts'

const EMAIL = 'zephyrine.quandary@mail.example'
const PHONE = '+442079460987'
const USER = 'zq-48151623'
const BROWSER = 'anon-zq-77120934'
const NAME = 'Zéphyrine Quandáry'
const STREET = '17 Xanthippe Crescent'
const NOTE = 'likes xylophone recitals'
const VALUES = [EMAIL, PHONE, USER, BROWSER, NAME, STREET, NOTE, 'Zéphyrine', 'quandary']

const OTHER_EMAIL = 'bob.builder@elsewhere.example'
const OTHER_NAME = 'Bob Ottokar Builder'

const web = { source: 'web' }
const crm = { source: 'crm' }
const traits = { email: EMAIL, phone: '+44 20 7946 0987', name: NAME, address: { street: STREET } }
const order = {
  ...{ order_id: 'O-1', total: '120.50', currency: 'GBP', country: 'GB', email: EMAIL },
  products: [{ product_id: 'P1', price: '60.25', quantity: 2 }],
}

/** One person's life, and another's beside it; both take part in two of the events. */
const LIFE: readonly unknown[] = [
  { ...web, id: '1', type: 'cdp.identify', data: { userId: USER, anonymousId: BROWSER, traits } },
  {
    ...web,
    id: '2',
    type: 'cdp.page',
    data: { anonymousId: BROWSER, name: 'home', context: { page: { url: `https://x.example/?q=${USER}` } } },
  },
  {
    ...web,
    id: '3',
    type: 'Order Completed',
    data: {
      ...order,
      shipping_address: { street: STREET },
      recipients: [{ email: OTHER_EMAIL, name: OTHER_NAME }],
    },
  },
  {
    ...crm,
    id: '4',
    type: 'cdp.identify',
    data: { userId: 'bob-1', traits: { email: OTHER_EMAIL, name: OTHER_NAME } },
  },
  { ...crm, id: '5', type: 'lead.created', data: { lead_id: 'L-zq', email: EMAIL, name: NAME, notes: NOTE } },
  {
    ...crm,
    id: '6',
    type: 'contact.created',
    data: { contact_id: 'C-zq', email: EMAIL, phone: PHONE, name: NAME },
  },
  {
    ...crm,
    id: '7',
    type: 'case.opened',
    data: { case_id: 'K-1', email: EMAIL, subject: NOTE, description: `${NAME} asks` },
  },
  {
    ...crm,
    id: '8',
    type: 'activity.logged',
    data: {
      activity_id: 'A-1',
      kind: 'meeting',
      email: OTHER_EMAIL,
      subject: 'lunch',
      participants: [{ email: EMAIL, name: NAME }],
    },
  },
  {
    ...web,
    id: '9',
    type: 'acme.wished',
    identities: [{ namespace: 'email', value: EMAIL }],
    data: { wish: NOTE, from: NAME },
  },
  { ...web, id: '10', type: 'cdp.track', data: { userId: USER, event: 'Liked', properties: { what: NOTE } } },
  {
    ...crm,
    id: '11',
    type: 'opportunity.created',
    data: {
      opportunity_id: 'OP-1',
      name: `${NAME} 2026`,
      amount: '1000',
      currency: 'EUR',
      stage: 'prospecting',
      contact_id: 'C-zq',
    },
  },
]

/** Refused, each for another reason, and each about her. */
const REFUSED: readonly unknown[] = [
  { ...web, id: 'q1', type: 'Order Completed', data: { email: EMAIL, note: NAME } },
  { ...web, id: `q2 ${EMAIL}`, type: 'cdp.identify', time: 'never', data: { traits } },
  { ...web, id: 'q3', type: 'cdp.identify', schema: 99, data: { userId: USER, traits } },
  { ...web, id: 'q4', type: 'cdp.identify', time: 'never', data: { traits: { phone: '(020) 7946 0987' } } },
]

/** Makes every build anew, so that the old ones have been dropped. */
const RANKED = { ...crm, id: 'r1', type: 'source.registered', data: { source: 'crm', priority: 1 } }

let directory: ReturnType<typeof temporaryDirectory>
let running: Opened
let engine: Engine
beforeEach(async () => {
  directory = temporaryDirectory()
  await start()
})
afterEach(async () => {
  await engine.stop()
  directory.remove()
})

async function start(): Promise<void> {
  running = await openAt(directory.path)
  engine = running.engine
}

async function restart(): Promise<void> {
  await engine.stop()
  await start()
}

async function live(): Promise<void> {
  expect(await send(engine, ...LIFE)).toMatchObject(LIFE.map(() => ({ status: 'appended' })))
  expect(await send(engine, ...REFUSED)).toMatchObject(REFUSED.map(() => ({ status: 'quarantined' })))
  await caughtUp(engine)
  await send(engine, RANKED)
  await caughtUp(engine)
}

async function erased(): Promise<Erasure> {
  return eraseNow(engine, engine.keyStore.find('email', EMAIL) ?? '', 'asked by mail')
}

/** Trigrams that the full-text indexes know of all rows. */
function trigrams(): ReadonlySet<string> {
  const db = new DatabaseSync(join(directory.path, 'read-models.sqlite'), { readOnly: true })
  try {
    // One moment of it: builds of before may be dropped meanwhile.
    db.exec('BEGIN')
    const tables = db
      .prepare("SELECT name FROM sqlite_schema WHERE name LIKE '%\\_\\_search' ESCAPE '\\'")
      .all()
    expect(tables.length).toBeGreaterThan(2)
    const terms = tables.flatMap(({ name }, at) => {
      db.exec(`CREATE VIRTUAL TABLE temp.terms${at} USING fts5vocab(main, '${String(name)}', 'row')`)
      return db.prepare(`SELECT term FROM temp.terms${at}`).all()
    })
    return new Set(terms.map(({ term }) => String(term)))
  } finally {
    db.close()
  }
}

/** Everything that is counted or summed. */
async function totals() {
  const rows = await rowsOf(engine)
  const counts = Object.fromEntries(Object.entries(rows).map(([name, list]) => [name, list.length]))
  // The log tells of the erasure itself.
  const daily = rows['daily_events']?.filter(({ row }) => row['type'] !== 'person.erased') ?? []
  const kept = (name: string): readonly StoredRow[] => rows[name] ?? []
  const { revenue, pipeline, active_people, hourly_activity, customer_orders } = rows
  const lists = { revenue, pipeline, active_people, hourly_activity, customer_orders, daily }
  return { lists, counts: { ...counts, daily_events: daily.length }, kept: kept('campaign') }
}

test('the grep finds her before and nowhere after; totals stay; a rebuild shows what the refold left', {
  timeout: 180_000,
}, async () => {
  await live()
  const before = found(directory.path, VALUES)
  // What only keys and mapping hold is sealed already; the grep knows its forms all the same.
  for (const value of [EMAIL, PHONE, NAME, STREET, NOTE]) expect(before.join('\n')).toContain(value)
  expect([...trigrams()]).toEqual(expect.arrayContaining(['zep', 'qua', 'bob']))
  const totalsBefore = await totals()
  const { certificate } = await erased()
  expect(found(directory.path, VALUES)).toEqual([])
  expect(await totals()).toEqual(totalsBefore)
  expect(trigrams()).not.toContain('zep')
  expect(trigrams()).not.toContain('qua')
  expect(trigrams()).toContain('bob')
  const refolded = await rowsOf(engine)
  expect(certificate?.purged.quarantinedBodies).toBe(REFUSED.length)
  expect(running.notices.join('\n')).not.toMatch(/zephyrine|quand|4815|xanth|xyloph/i)
  // Bob is still there.
  expect(found(directory.path, [OTHER_EMAIL, OTHER_NAME]).join()).toMatch(/read-models/)
  await engine.stop()
  for (const end of ['', '-wal', '-shm'])
    rmSync(join(directory.path, `read-models.sqlite${end}`), { force: true })
  await start()
  expect(await rowsOf(engine)).toEqual(refolded)
  expect(found(directory.path, VALUES)).toEqual([])
})

test('of two people in one event the other stays readable; proofs from before and of it verify', {
  timeout: 180_000,
}, async () => {
  await live()
  const key = parseVerifierKey(engine.audit.verifierKey)
  const before = await engine.audit.proveInclusion(1)
  const her = engine.keyStore.find('email', EMAIL) ?? ''
  const { number } = await erased()
  const bob = engine.keyStore.find('email', OTHER_EMAIL)
  expect(bob).toBeDefined()
  const { value } = await engine.store.get(['profile'], bob ?? '')
  expect(value.rows.get('profile')?.[0]?.row).toMatchObject({ name: OTHER_NAME, email: OTHER_EMAIL })
  const opened = []
  for await (const batch of engine.log.read({ types: new Set(['Order Completed', 'activity.logged']) }))
    for (const event of batch)
      opened.push(event.sealed.map((part) => engine.keyStore.open(part, event) !== undefined))
  // Her own order with him as recipient, and his meeting with her as participant.
  expect(opened).toEqual([
    [false, true],
    [true, false],
  ])
  // Only his envelope names the meeting; what she left there is found by the part that doesn't open.
  const meeting = LIFE.findIndex((each) => JSON.stringify(each).includes('A-1')) + 1
  expect(await touchedPositions(engine.log, engine.keyStore, [her])).toContain(meeting)
  const after = await engine.audit.proveInclusion(1)
  expect(after?.event).toEqual(before?.event)
  expect(after?.entry).toEqual(before?.entry)
  const { certificate } = (await engine.erasures.get(number)) ?? expect.fail('it is there')
  const { proofs = [] } = certificate ?? expect.fail('it is done')
  expect(proofs.map(({ position }) => position)).toEqual(certificate?.positions)
  expect(verifyBundles(proofs, key, undefined).bundles).toHaveLength(1)
  const findings = await engine.erasures.verify(certificate ?? expect.fail())
  expect(findings.filter(({ check }) => check === 'proof')).toMatchObject([{ ok: true }])
  const [proof] = proofs
  const event = Buffer.from(proof?.event ?? '', 'base64')
  event[5] = (event[5] ?? 0) ^ 1
  const forged = { ...certificate, proofs: [{ ...proof, event: event.toString('base64') }] }
  const findingsOfForged = await engine.erasures.verify(
    certificateCodec.is(forged) ? forged : expect.fail('it looks like one'),
  )
  expect(findingsOfForged.filter(({ ok }) => !ok)).toMatchObject([{ check: 'proof' }])
})

test('she is not collected again, until she consents: then under new ids', { timeout: 180_000 }, async () => {
  await live()
  const old = engine.keyStore.find('email', EMAIL) ?? ''
  const { certificate } = await erased()
  const again = await send(engine, { ...web, id: '20', type: 'cdp.identify', data: { userId: USER, traits } })
  expect(again).toMatchObject([{ status: 'quarantined', reason: 'suppressed' }])
  expect(engine.keyStore.find('email', EMAIL)).toBeUndefined()
  await caughtUp(engine)
  expect(found(directory.path, VALUES)).toEqual([])
  const consent = {
    ...web,
    id: '21',
    type: 'consent.granted',
    data: { purpose: 'marketing', email: EMAIL, user_id: USER },
  }
  expect(await send(engine, consent)).toMatchObject([{ status: 'appended' }])
  const known = engine.keyStore.find('email', EMAIL)
  expect(known).toBeDefined()
  expect(known).not.toBe(old)
  expect(certificate?.identities.map(({ id }) => id)).not.toContain(known)
  await restart()
  expect(engine.keyStore.find('email', EMAIL)).toBe(known)
  expect(engine.keyStore.reveal(old)).toBeUndefined()
  // … and may be forgotten again.
  const second = await eraseNow(engine, known ?? '')
  expect(second.number).not.toBe(certificate?.number)
  expect(found(directory.path, VALUES)).toEqual([])
})

test('a reason that names her is refused; asked twice, it is one erasure; its certificate holds, a forged one does not', {
  timeout: 180_000,
}, async () => {
  await live()
  const id = engine.keyStore.find('email', EMAIL) ?? ''
  const other = engine.keyStore.find('user', USER) ?? ''
  for (const reason of [`mail of ${EMAIL.toUpperCase()}`, 'caller 020 7946 0987', `user ${USER}`]) {
    const asked = await engine.erasures.request({ identity: id, waitMs: 1_000, reason })
    expect(asked).toMatchObject({ left: { _tag: 'NamesPerson' } })
  }
  expect(engine.erasures.list()).toEqual([])
  const first = await eraseNow(engine, id)
  expect((await eraseNow(engine, id)).number).toBe(first.number)
  expect((await eraseNow(engine, other)).number).toBe(first.number)
  const { certificate } = first
  expect(certificate).toBeDefined()
  if (certificate === undefined) return
  const findings = await engine.erasures.verify(certificate)
  expect(findings.filter(({ ok }) => !ok)).toEqual([])
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(['event', 'mappings', 'keys', 'parts']),
  )
  expect(certificate.destroyed.keys).toBe(certificate.destroyed.keyIds.length)
  expect(certificate.destroyed.keys).toBeGreaterThan(2)
  expect(certificate.identities.map(({ namespace }) => namespace).sort()).toEqual([
    'anonymous',
    'contact',
    'email',
    'lead',
    'phone',
    'user',
  ])
  const bob = { id: engine.keyStore.find('email', OTHER_EMAIL) ?? '', namespace: 'email' }
  const forged = [
    { ...certificate, identities: [...certificate.identities, bob] },
    { ...certificate, positions: [1] },
    { ...certificate, number: '2026-01-01-000000000000' },
    { ...certificate, reason: 'asked by nobody' },
    { ...certificate, erased: certificate.requested },
    { ...certificate, destroyed: { ...certificate.destroyed, keyIds: [] } },
  ]
  for (const each of forged) {
    const found = await engine.erasures.verify(each)
    expect(found.some(({ ok }) => !ok)).toBe(true)
  }
})
