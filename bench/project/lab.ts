import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shown } from '../log/findings.ts'
import { runChild } from './child.ts'
import type { ProjectPlan } from './plan.ts'

/** One temporary directory, and the log in it that is rebuilt from. */
export class ProjectLab {
  readonly plan: ProjectPlan
  readonly directory: string
  /** Progress for whoever waits. */
  readonly say: (line: string) => void
  readonly #stopping = new AbortController()
  #data: Promise<string> | undefined

  constructor(plan: ProjectPlan, say: (line: string) => void) {
    this.plan = plan
    this.say = say
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), 'headwater-bench-project-')))
  }

  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  get aborted(): boolean {
    return this.signal.aborted
  }

  /** What an engine is started on. */
  get home(): string {
    return join(this.directory, 'home')
  }

  /** The data directory, whose log is written when it is first asked for. */
  data(): Promise<string> {
    this.#data ??= this.#fill()
    return this.#data
  }

  /** Where the read models lie; those of before are removed. The last ones stay for an engine. */
  newStore(): string {
    const path = join(this.home, 'data', 'read-models.sqlite')
    for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
    return path
  }

  async #fill(): Promise<string> {
    const { events, people } = this.plan.log
    this.say(`  a log of ${shown(events)} events about ${shown(people)} people is written …`)
    const data = join(this.home, 'data')
    mkdirSync(data, { recursive: true })
    const { perS } = await runChild('fill-child.ts', [data, events, people], this.signal)
    this.say(`  … at ${shown(perS)} events/s`)
    return data
  }

  abort(): void {
    this.#stopping.abort()
  }

  close(): void {
    this.abort()
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}
