import { Presets, SingleBar } from 'cli-progress'
import type { ImportStatus } from '../import/import.ts'
import type { Terminal } from './command.ts'
import { count } from './import-report.ts'

/** A bar on a terminal; elsewhere a line now and then. All of it on standard error. */
interface ProgressBar {
  readonly update: (status: ImportStatus) => void
  stop(): void
}

const LINE_EVERY_MS = 5_000

export function createProgressBar(terminal: Terminal): ProgressBar {
  return terminal.interactive ? drawnBar() : plainLines(terminal)
}

function drawnBar(): ProgressBar {
  const bar = new SingleBar(
    {
      format: '{bar} {percentage} % | {rows} rows, {events} events | {state}',
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      etaBuffer: 100,
    },
    Presets.shades_classic,
  )
  let begun = false
  return {
    update: (status) => {
      const payload = {
        rows: count(status.rows),
        events: count(status.events),
        state: status.waiting === undefined ? 'sending' : `waiting: ${status.waiting}`,
      }
      if (!begun) bar.start(status.sizeBytes, status.bytesRead, payload)
      else bar.update(status.bytesRead, payload)
      begun = true
    },
    stop: () => {
      if (begun) bar.stop()
      begun = false
    },
  }
}

function plainLines(terminal: Terminal): ProgressBar {
  let lastMs = terminal.clock.monotonicMs()
  let waiting: string | undefined
  return {
    update: (status) => {
      const nowMs = terminal.clock.monotonicMs()
      if (status.waiting !== undefined && waiting === undefined) terminal.err(`waiting: ${status.waiting}`)
      if (status.waiting === undefined && waiting !== undefined) terminal.err('sending again')
      waiting = status.waiting
      if (nowMs - lastMs < LINE_EVERY_MS) return
      lastMs = nowMs
      const percent = Math.floor((100 * status.bytesRead) / Math.max(status.sizeBytes, 1))
      terminal.err(
        `${percent} % read, ${count(status.rows)} rows, ${count(status.acknowledgedRow)} acknowledged`,
      )
    },
    stop: () => {},
  }
}

/** How far a piece of work is whose size is known; `what` names the step. */
interface WorkBar {
  readonly update: (what: string, done: number, of: number) => void
  stop(): void
}

export function createWorkBar(terminal: Terminal): WorkBar {
  return terminal.interactive ? drawnWork() : workLines(terminal)
}

function drawnWork(): WorkBar {
  const options = { format: '{bar} {percentage} % | {what}', stream: process.stderr }
  const bar = new SingleBar({ ...options, hideCursor: true, clearOnComplete: true }, Presets.shades_classic)
  let shown: string | undefined
  return {
    update: (what, done, of) => {
      if (what !== shown) bar.start(Math.max(of, 1), done, { what })
      else bar.update(done, { what })
      shown = what
    },
    stop: () => {
      if (shown !== undefined) bar.stop()
      shown = undefined
    },
  }
}

function workLines(terminal: Terminal): WorkBar {
  let lastMs = terminal.clock.monotonicMs()
  return {
    update: (what, done, of) => {
      const nowMs = terminal.clock.monotonicMs()
      if (nowMs - lastMs < LINE_EVERY_MS) return
      lastMs = nowMs
      terminal.err(`${what}: ${Math.floor((100 * done) / Math.max(of, 1))} %`)
    },
    stop: () => {},
  }
}
