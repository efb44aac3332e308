import { writeSync } from 'node:fs'
import { reportLine } from './kernel-world.ts'
import { write } from './kernel-writer.ts'

/** `write` as a process. Arguments: data directory, run, number of commits (0: until it is killed). */
const [directory = '', run = '', commits = '0'] = process.argv.slice(2)
await write({
  directory,
  run: Number(run),
  commits: Number(commits),
  say: (report) => void writeSync(1, reportLine(report)),
})
