/**
 * Theorem: the memory store and SQLite are the same store. A commit is whole or absent, in how many steps ever it is
 * written, a build that is filled in one go is the build that commits make, a reset store is a new store, a build takes another's place
 * in one step, and every query answers what plain code over the rows written would, or is refused by type. Equal rows have
 * equal digests in both, and a difference is found in its bucket.
 */

import { writerContract } from './contract.ts'
import { answerContract } from './contract-answers.ts'
import { checkpointContract } from './contract-checkpoint.ts'
import { digestContract } from './contract-digest.ts'
import { fillContract } from './contract-fill.ts'
import { lawContract } from './contract-laws.ts'
import { queryContract } from './contract-queries.ts'
import { stepContract } from './contract-steps.ts'
import { openMemory, openSqlite } from './harness.ts'

for (const [name, open] of [
  ['memory', openMemory],
  ['sqlite', openSqlite],
] as const) {
  writerContract(name, open)
  checkpointContract(name, open)
  stepContract(name, open)
  fillContract(name, open)
  queryContract(name, open)
  answerContract(name, open)
  lawContract(name, open)
  digestContract(name, open)
}
