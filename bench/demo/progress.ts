import { Presets, SingleBar } from 'cli-progress'

/** How far the year has been sent: a bar on a terminal, elsewhere a line for every tenth. */
export interface Progress {
  update(sent: number): void
  stop(): void
}

export function showProgress(total: number): Progress {
  return process.stdout.isTTY ? drawn(total) : lines(total)
}

function drawn(total: number): Progress {
  const format = '  {bar} {percentage} %  {value} of {total} events, {duration_formatted}'
  const bar = new SingleBar({ format, hideCursor: true, stream: process.stdout }, Presets.shades_classic)
  bar.start(total, 0)
  return { update: (sent) => bar.update(sent), stop: () => bar.stop() }
}

function lines(total: number): Progress {
  let tenths = 0
  return {
    update(sent) {
      const now = Math.floor((10 * sent) / total)
      if (now === tenths) return
      tenths = now
      console.log(`  ${number(sent)} of ${number(total)} events acknowledged`)
    },
    stop: () => undefined,
  }
}

/** 43936 → 43,936 */
export function number(value: number): string {
  return value.toLocaleString('en-GB')
}
