import type { Terminal } from '../../api/cli/command.ts'
import { systemClock } from '../../engine/clock.ts'

/** A terminal that keeps what is printed; nobody interrupts it. */
export function captured(env: Terminal['env']) {
  const outLines: string[] = []
  const errLines: string[] = []
  const plain = (text: string) => text
  const terminal: Terminal = {
    env,
    clock: systemClock,
    out: (line) => void outLines.push(line),
    err: (line) => void errLines.push(line),
    style: { bold: plain, dim: plain, warn: plain },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: (work) => work(new AbortController().signal),
  }
  return { ...terminal, outLines, errLines }
}
