import { machineCpuSeconds, processCpuSeconds, threadCpuSeconds } from './proc.ts'

/** CPU of the three processes that share the cores, at one moment. */
export interface CpuReading {
  readonly atMs: number
  readonly engine: number | undefined
  readonly nats: number | undefined
  readonly generator: number | undefined
  readonly machine: number | undefined
  readonly threads: ReadonlyMap<string, { name: string; seconds: number }>
}

/** Over a span: in cores, where 1 is one core busy all the time. */
export interface CpuUse {
  readonly measurement: string
  readonly seconds: number
  readonly engine: number
  readonly nats: number
  readonly generator: number
  /** Whatever else ran on the machine meanwhile, the kernel's work for the network included. */
  readonly others: number
  /** Of the engine, by name, busiest first; threads of one name together. */
  readonly threads: readonly { readonly name: string; readonly cores: number }[]
}

export interface Pids {
  readonly engine: number
  readonly nats: number
  readonly generator: number
}

export function readCpu(pids: Pids, atMs: number): CpuReading {
  return {
    atMs,
    engine: processCpuSeconds(pids.engine),
    nats: processCpuSeconds(pids.nats),
    generator: processCpuSeconds(pids.generator),
    machine: machineCpuSeconds(),
    threads: threadCpuSeconds(pids.engine),
  }
}

/** undefined where the system doesn't tell. */
export function cpuBetween(measurement: string, from: CpuReading, to: CpuReading): CpuUse | undefined {
  const seconds = (to.atMs - from.atMs) / 1_000
  if (from.engine === undefined || to.engine === undefined || seconds <= 0) return undefined
  const cores = (before: number | undefined, after: number | undefined): number =>
    ((after ?? 0) - (before ?? 0)) / seconds
  const byName = new Map<string, number>()
  for (const [id, { name, seconds: after }] of to.threads) {
    const used = cores(from.threads.get(id)?.seconds, after)
    byName.set(name, (byName.get(name) ?? 0) + used)
  }
  const [engine, nats] = [cores(from.engine, to.engine), cores(from.nats, to.nats)]
  const generator = cores(from.generator, to.generator)
  return {
    measurement,
    seconds,
    engine,
    nats,
    generator,
    others: Math.max(0, cores(from.machine, to.machine) - engine - nats - generator),
    threads: [...byName].map(([name, used]) => ({ name, cores: used })).sort((a, b) => b.cores - a.cores),
  }
}

export const CPU_HEAD = [
  'measurement',
  'engine',
  'nats-server',
  'generator',
  'others',
  "engine's threads",
] as const

/** In cores. Threads below a hundredth of a core are left out. */
export function cpuRows(uses: readonly CpuUse[]): readonly (readonly (string | number)[])[] {
  return uses.map(({ measurement, engine, nats, generator, others, threads }) => [
    measurement,
    Number(engine.toFixed(2)),
    Number(nats.toFixed(2)),
    Number(generator.toFixed(2)),
    Number(others.toFixed(2)),
    threads
      .filter(({ cores }) => cores >= 0.01)
      .map(({ name, cores }) => `${name} ${cores.toFixed(2)}`)
      .join(', '),
  ])
}
