import { readdirSync, readFileSync } from 'node:fs'

/** What Linux tells of a process under `/proc` (proc(5)); elsewhere everything is undefined. */

/** USER_HZ: what the kernel counts CPU time in for user space; 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100

/** CPU seconds so far, user and system together. */
function cpuSeconds(statPath: string): number | undefined {
  const stat = read(statPath)
  // The name in brackets may hold spaces; fields 14 and 15 (utime, stime) are counted behind it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields === undefined) return undefined
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
}

/** What all processes of the machine used so far. */
export function machineCpuSeconds(): number | undefined {
  // cpu user nice system idle iowait irq softirq …
  const fields = /^cpu +(.*)$/m
    .exec(read('/proc/stat') ?? '')?.[1]
    ?.split(' ')
    .map(Number)
  if (fields === undefined) return undefined
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields
  return (user + nice + system + irq + softirq) / TICKS_PER_S
}

export function processCpuSeconds(pid: number): number | undefined {
  return cpuSeconds(`/proc/${pid}/stat`)
}

/** By thread id; a thread that ended is missing. */
export function threadCpuSeconds(pid: number): ReadonlyMap<string, { name: string; seconds: number }> {
  const threads = new Map<string, { name: string; seconds: number }>()
  for (const id of list(`/proc/${pid}/task`)) {
    const name = read(`/proc/${pid}/task/${id}/comm`)?.trim()
    const seconds = cpuSeconds(`/proc/${pid}/task/${id}/stat`)
    if (name !== undefined && seconds !== undefined) threads.set(id, { name, seconds })
  }
  return threads
}

/** In megabytes of 10^6 bytes. */
export interface ResidentMemory {
  readonly megabytes: number
  /** The part of it that isn't a file's. */
  readonly anonymousMegabytes: number
}

export function residentMemory(pid: number): ResidentMemory | undefined {
  const status = read(`/proc/${pid}/status`) ?? ''
  const megabytesOf = (name: string): number | undefined => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
    return kibibytes === undefined ? undefined : (Number(kibibytes) * 1_024) / 1e6
  }
  const megabytes = megabytesOf('VmRSS')
  const anonymousMegabytes = megabytesOf('RssAnon')
  return megabytes === undefined || anonymousMegabytes === undefined
    ? undefined
    : { megabytes, anonymousMegabytes }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
