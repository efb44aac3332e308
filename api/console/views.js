/** @import { Answer, Reply, ViewInfo } from './answers.d.ts' */
import { get } from './api.js'

/** @type {Promise<ReadonlySet<string>> | undefined} */
let asked

/**
 * Names of the engine's read models: an engine without one lacks its routes too.
 * @returns {Promise<ReadonlySet<string>>}
 */
export function viewNames() {
  asked ??= askNames()
  return asked
}

async function askNames() {
  /** @type {Reply<Answer<readonly ViewInfo[]>>} */
  const reply = await get('/v1/projections')
  // What failed is asked again.
  if (!reply.ok) asked = undefined
  return new Set(reply.ok ? reply.body.data.map(({ name }) => name) : [])
}
