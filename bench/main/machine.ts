import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

/** What the figures were measured on and with. `directory` is where the engine kept its files. */
export function describeMachine(directory: string): Readonly<Record<string, string | number>> {
  return {
    cores: availableParallelism(),
    memoryGb: Number((totalmem() / 1e9).toFixed(1)),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    kernel: `${type()} ${release()}`,
    node: process.version,
    natsServer: firstLine('nats-server', ['--version']).replace(/^nats-server: v?/, ''),
    durability: 'fdatasync for each group commit, before the acknowledgement',
    fileSystem: fileSystemOf(directory),
    logLevel: process.env['LOG_LEVEL'] ?? 'info',
  }
}

export function commitOf(root: string): string {
  const commit = firstLine('git', ['-C', root, 'rev-parse', '--short=12', 'HEAD'])
  if (!/^[0-9a-f]{12}$/.test(commit)) return 'unknown'
  const changed = firstLine('git', ['-C', root, 'status', '--porcelain', '--untracked-files=no'])
  return changed === '' ? commit : `${commit}+`
}

/** '' for a program that isn't there or prints nothing. */
function firstLine(program: string, args: readonly string[]): string {
  try {
    const output = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return output.split('\n')[0] ?? ''
  } catch {
    return ''
  }
}

/** Type of the mount that holds it. */
function fileSystemOf(directory: string): string {
  try {
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .map(([, point = '', kind = '']) => ({ point, kind }))
    const holding = mounts
      .filter(
        ({ point }) => point !== '' && `${directory}/`.startsWith(point.endsWith('/') ? point : `${point}/`),
      )
      .sort((a, b) => b.point.length - a.point.length)
    return holding[0]?.kind ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
