import { buildApp } from '../../api/app.ts'
import type { Engine } from '../../api/engine.ts'
import { createMetrics } from '../../api/metrics.ts'
import { publishedConfiguration } from '../../api/published-configuration.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { SeededRandom } from '../../engine/identity/linkage/random.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { projections } from '../../projections/catalog.ts'
import { AS_READER, createWorld, WRITE_KEY } from '../api/world.ts'
import { caughtUp, openAt, send } from '../erasure/support.ts'

/** Whole engines with the api before them, and made-up people to look among. */

export const AS_ADMIN = { ...AS_READER, 'headwater-write-key': WRITE_KEY }

const FIRST =
  'anna ben carla david elena frank grace henry irene jakob karin luis maria nils olga peter'.split(' ')
const LAST =
  'adler brandt castro dupont eriksen fischer garcia horvat ivanov jensen keller lindberg moreau novak olsen petrov quist rossi schmidt takacs'.split(
    ' ',
  )
const TOWNS = 'bergen bristol cologne gdansk lisbon malmo'.split(' ')

export interface Traits {
  readonly firstName: string
  readonly lastName: string
  readonly email: string
  readonly phone: string
  readonly birthday: string
  readonly address: { readonly street: string; readonly city: string; readonly postal_code: string }
}

/** People who have nothing in common but what people happen to. */
export function crowd(size: number, seed = 1): readonly Traits[] {
  const random = new SeededRandom(seed)
  const pick = (from: readonly string[]): string => from[random.below(from.length)] ?? ''
  return Array.from({ length: size }, (_, i) => {
    const [firstName, lastName] = [pick(FIRST), pick(LAST)]
    return {
      firstName,
      lastName,
      email: `${firstName}.${lastName}.${i}@mail.example`,
      phone: `+4420${70_000_000 + random.below(9_999_999)}`,
      birthday: `${1940 + random.below(65)}-${two(1 + random.below(12))}-${two(1 + random.below(28))}`,
      address: {
        street: `${1 + random.below(90)} ${pick(LAST)} street`,
        city: pick(TOWNS),
        postal_code: String(10_000 + random.below(80_000)),
      },
    }
  })
}

/** A rare person, and the same as another system has her. */
export const ZEPHYRINE: Traits = {
  firstName: 'Zephyrine',
  lastName: 'Quandary',
  email: 'zephyrine@mail.example',
  phone: '+442071234567',
  birthday: '1984-03-09',
  address: { street: '7 Larkspur Lane', city: 'bristol', postal_code: '90210' },
}
/** Another mail address and phone number: the same would have linked them. */
export const ZEPHYRIN: Traits = {
  ...ZEPHYRINE,
  lastName: 'Quandry',
  email: 'z.quandary@work.example',
  phone: '+442071234561',
}

export function identify(userId: string, traits: Partial<Traits>) {
  return { id: `i-${userId}`, source: 'web', type: 'cdp.identify', data: { userId, traits } }
}

/** Somebody whom no user id is known of: two users would be kept from being one by the limit of one user id. */
export function visit(anonymousId: string, traits: Partial<Traits>) {
  return { id: `v-${anonymousId}`, source: 'shop', type: 'cdp.identify', data: { anonymousId, traits } }
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}

type Change = NonNullable<Parameters<typeof openAt>[1]>

export async function openWorld(directory: string, change: Change = {}) {
  const { engine, notices } = await openAt(directory, {
    duplicates: 'suggest',
    duplicatesHours: 0,
    ...change,
  })
  const { log, store, liveRows, intake, keyStore } = engine
  const open = (event: RecordedEvent) => openEvent(event, keyStore, registry)
  const base = await createWorld()
  const metrics = createMetrics()
  const app = await buildApp({
    ...base.deps,
    ...{ log, store, liveRows, intake, directory: keyStore, openEvent: open, metrics },
    duplicates: engine.duplicates ?? 'off',
    configuration: { ...base.deps.configuration, afterWaitMs: 30_000, pageLimit: 500 },
    projections: new Map(projections.map((projection) => [projection.name, projection])),
    publishedConfiguration: publishedConfiguration(log, projections, open),
  })
  await base.close()
  const get = async (url: string) => {
    const answer = await app.inject({ url, headers: AS_READER })
    return { status: answer.statusCode, body: answer.json() }
  }
  const post = async (url: string, payload: object = {}, headers: Record<string, string> = AS_ADMIN) => {
    const answer = await app.inject({ method: 'POST', url, headers, payload })
    return { status: answer.statusCode, body: answer.json() }
  }
  return {
    ...{ engine, app, metrics, notices, get, post },
    /** Looks now; what it came to. */
    async look() {
      await caughtUp(engine)
      return (await post('/v1/duplicates/run?wait=60000')).body.data
    },
    async list(query = '') {
      return (await get(`/v1/duplicates${query}`)).body
    },
    async close(): Promise<void> {
      await app.close()
      await engine.stop()
    },
  }
}

export type World = Awaited<ReturnType<typeof openWorld>>

export async function sendCrowd(engine: Engine, size: number): Promise<void> {
  await send(engine, ...crowd(size).map((traits, i) => identify(`c${i}`, traits)))
}
