/**
 * Theorem: whatever a start begins is stopped once, in reverse order, also what it begins after its end was asked for; one
 * that fails to stop keeps no other from it, and a start that waits for something doesn't keep the end waiting for ever.
 */
import { expect, test } from 'vitest'
import { GivenUp, Stops } from '../../api/stops.ts'

const NEVER = new Promise<never>(() => undefined)

function world() {
  const stopped: string[] = []
  const failures: unknown[] = []
  const stops = new Stops((error) => failures.push(error))
  const begin = (name: string): void => stops.push(async () => void stopped.push(name))
  return { stops, begin, stopped, failures }
}

test('in reverse order, one that fails among them', async () => {
  const { stops, begin, stopped, failures } = world()
  begin('log')
  stops.push(() => Promise.reject(new Error('no room')))
  begin('http')
  await stops.run(Promise.resolve(), 1_000)
  expect(stopped).toEqual(['http', 'log'])
  expect(failures).toEqual([new Error('no room')])
})

test('what a start begins meanwhile ends too, and it goes no further', async () => {
  const { stops, begin, stopped, failures } = world()
  const { promise: natsIsReady, resolve: ready } = Promise.withResolvers<void>()
  const starting = (async () => {
    begin('log')
    await natsIsReady
    begin('nats')
    begin('more')
  })()
  const stopping = stops.run(starting, 10_000)
  ready()
  await stopping
  expect(stopped).toEqual(['log', 'nats'])
  await expect(starting).rejects.toBeInstanceOf(GivenUp)
  expect(failures).toEqual([])
})

test('who asked for it is told before anything is stopped, or at once', async () => {
  const { stops, begin, stopped } = world()
  stops.beforehand(() => void stopped.push('told'))
  begin('log')
  await stops.run(Promise.resolve(), 1_000)
  stops.beforehand(() => void stopped.push('told late'))
  expect(stopped).toEqual(['told', 'log', 'told late'])
})

test('a start that waits is not waited for', async () => {
  const { stops, begin, stopped } = world()
  begin('log')
  await stops.run(NEVER, 20)
  expect(stopped).toEqual(['log'])
})
