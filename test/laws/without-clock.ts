/** The machine's clock and its chance, as code comes by them. */
const SOURCES: readonly (readonly [owner: object, name: string, stolen: unknown])[] = [
  [globalThis, 'Date', dateWithoutNow()],
  [performance, 'now', forbidden],
  [process, 'hrtime', forbidden],
  [Math, 'random', forbidden],
  [crypto, 'randomUUID', forbidden],
  [crypto, 'getRandomValues', forbidden],
]

/** While `act` runs, whoever asks what time it is, or for chance, throws. Dates of stated instants are as always. */
export function withoutClock(act: () => void): void {
  const before = SOURCES.map(([owner, name]) => Object.getOwnPropertyDescriptor(owner, name))
  for (const [owner, name, value] of SOURCES)
    Object.defineProperty(owner, name, { value, configurable: true, writable: true })
  try {
    act()
  } finally {
    for (const [i, [owner, name]] of SOURCES.entries()) {
      const descriptor = before[i]
      if (descriptor === undefined) Reflect.deleteProperty(owner, name)
      else Object.defineProperty(owner, name, descriptor)
    }
  }
}

function forbidden(): never {
  throw new Error('a projection asks for the time, or for chance')
}

function dateWithoutNow(): DateConstructor {
  return new Proxy(Date, {
    apply: forbidden,
    construct: (target, stated) => (stated.length === 0 ? forbidden() : Reflect.construct(target, stated)),
    get: (target, name) => (name === 'now' ? forbidden : Reflect.get(target, name)),
  })
}
