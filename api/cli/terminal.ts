import { styleText } from 'node:util'
import type { Clock } from '../../engine/clock.ts'
import type { Terminal } from './command.ts'

/** The process as commands see it. Whoever reads our output may close it early: that ends us, quietly. */
export function processTerminal(clock: Clock): Terminal {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit(process.exitCode ?? 0)
    })
  }
  const interactive = process.stderr.isTTY === true && process.stdout.isTTY === true
  const coloured = interactive && (process.env.NO_COLOR ?? '') === ''
  const styled = (format: 'bold' | 'dim' | 'yellow') => (text: string) =>
    coloured ? styleText(format, text, { validateStream: false }) : text
  return {
    env: process.env,
    clock,
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    style: { bold: styled('bold'), dim: styled('dim'), warn: styled('yellow') },
    interactive,
    stdin: readStdin,
    interruptible,
  }
}

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  // `once`: the second signal finds no listener and does what signals do.
  process.once('SIGINT', abort)
  process.once('SIGTERM', abort)
  try {
    return await work(controller.signal)
  } finally {
    process.removeListener('SIGINT', abort)
    process.removeListener('SIGTERM', abort)
  }
}
