import { readFile } from 'node:fs/promises'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import { messageOf } from './input-file.ts'
import { type CompiledMapping, compileMapping } from './mapper.ts'
import { parseMapping, problemText } from './mapping-codec.ts'
import type { Problem } from './shapes.ts'

/** Everything that is wrong with a mapping; `message` says it in lines. */
interface InvalidMapping {
  readonly _tag: 'InvalidMapping'
  readonly message: string
  readonly problems: readonly Problem[]
}

/** Reads, validates and compiles a mapping document. */
export async function loadMapping(path: string): Promise<Either<InvalidMapping, CompiledMapping>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    return E.left(invalid(`${path} can't be read: ${messageOf(error)}`, []))
  }
  const compiled = E.flatMap(compileMapping)(parseMapping(text))
  if (E.isRight(compiled)) return compiled
  const lines = compiled.left.map((problem) => `  ${problemText(problem)}`)
  return E.left(invalid([`${path} is no valid mapping:`, ...lines].join('\n'), compiled.left))
}

function invalid(message: string, problems: readonly Problem[]): InvalidMapping {
  return { _tag: 'InvalidMapping', message, problems }
}
