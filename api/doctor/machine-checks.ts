import { counted, type Finding, fail, GIB, MIB, ok, shownBytes, warn } from './finding.ts'
import type { Machine } from './machine.ts'

const LEAST_NODE = 26

export function checkNode({ nodeVersion }: Machine): Finding {
  const major = Number(/^v(\d+)\./.exec(nodeVersion)?.[1])
  if (major >= LEAST_NODE) return ok('node', nodeVersion)
  const advice = 'run it by npm start or npx headwater, which find the Node that comes with the package first'
  return fail('node', `${nodeVersion} is older than ${LEAST_NODE}`, advice)
}

const LEAST_MEMORY_BYTES = 256 * MIB
const GOOD_MEMORY_BYTES = GIB

/** What a process here may take: the machine's memory, or what a container is allowed of it. */
export function checkMemory(machine: Machine): Finding {
  const limit = memoryLimit(machine)
  const bytes = Math.min(machine.memoryBytes, limit ?? Number.POSITIVE_INFINITY)
  const whose = limit === undefined || limit >= machine.memoryBytes ? '' : ' (limit of the container)'
  const message = `${shownBytes(bytes)}${whose}`
  const advice =
    'give the machine or the container more: each million events takes some 30 MiB, beside 300 MiB'
  if (bytes < LEAST_MEMORY_BYTES) return fail('memory', message, advice)
  return bytes < GOOD_MEMORY_BYTES ? warn('memory', message, advice) : ok('memory', message)
}

/** Of the control group that this process is in and those above it (cgroup v2), or v1's one file. */
function memoryLimit(machine: Machine): number | undefined {
  const limits = [
    ...groupFiles(machine, 'memory.max'),
    machine.readText('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
  ].map((text) => Number(text?.trim()))
  const stated = limits.filter((limit) => limit > 0)
  return stated.length === 0 ? undefined : Math.min(...stated)
}

function groupFiles(machine: Machine, name: string): readonly (string | undefined)[] {
  const own = /^0::(\/.*)$/m.exec(machine.readText('/proc/self/cgroup') ?? '')?.[1] ?? '/'
  const parts = own.split('/').filter((part) => part !== '' && part !== '..')
  const groups = parts.map((_, depth) => `/${parts.slice(0, depth + 1).join('/')}`)
  return ['', ...groups].map((group) => machine.readText(`/sys/fs/cgroup${group}/${name}`))
}

export function checkProcessor(machine: Machine): Finding {
  const quotas = groupFiles(machine, 'cpu.max').flatMap((text) => {
    const [, quota, period] = /^(\d+) (\d+)/.exec(text ?? '') ?? []
    return quota === undefined ? [] : [Number(quota) / Number(period)]
  })
  const cores = Math.min(machine.cores, ...quotas)
  const limited = cores < machine.cores ? ' (limit of the container)' : ''
  const message = `${counted(Number(cores.toFixed(2)), 'core')}${limited}`
  if (cores >= 2) return ok('processor', message)
  return warn('processor', message, 'two cores are the least that intake and read models can share well')
}

const LEAST_OPEN_FILES = 256
const GOOD_OPEN_FILES = 1024

export function checkOpenFiles({ readText }: Machine): Finding {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readText('/proc/self/limits') ?? '')?.[1]
  if (soft === undefined) return ok('open files', 'this system tells no limit')
  const message = `at most ${soft}`
  const advice = 'raise the limit (ulimit -n, LimitNOFILE= of systemd): connections and segments need files'
  if (soft === 'unlimited' || Number(soft) >= GOOD_OPEN_FILES) return ok('open files', message)
  return Number(soft) < LEAST_OPEN_FILES
    ? fail('open files', message, advice)
    : warn('open files', message, advice)
}
