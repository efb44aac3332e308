import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { messageOf } from '../import/input-file.ts'
import type { CompiledMapping } from '../import/mapper.ts'
import { loadMapping } from '../import/mapping.ts'
import { problemText } from '../import/mapping-codec.ts'
import { closed, keyed, type Problem, pattern, problemsOf } from '../import/shapes.ts'
import { duration, durationMs } from './duration.ts'
import type { HighWaterColumn, Pull } from './pull.ts'

/** The file that HEADWATER_PULL names; `PULL.md` tells it in prose. */

const SECOND_MS = 1_000
const DAY_MS = 86_400_000
const MIB = 1024 * 1024

const name = pattern('a name in kebab-case', /^[a-z0-9]+(?:-[a-z0-9]+)*$/)
const path = pattern('a path', /^\S(?:.*\S)?$/)
const every = duration(SECOND_MS, 7 * DAY_MS)
const address = pattern(
  'an http or https address without user and password',
  /^https?:\/\/[^\s/@]+(?:[/?]\S*)?$/i,
)
const origin = pattern('an origin such as https://files.example', /^https?:\/\/[^\s/@?#]+$/i)
const headerValue = pattern('a header value', /^[\t\x20-\x7e]{1,4096}$/)

const highWater = closed(
  'HighWater',
  { column: pattern('the name of a column', /^[^\s{}](?:[^{}]*[^\s{}])?$/) },
  {
    as: t.keyof({ text: null, number: null, instant: null }),
    initial: pattern('a text of at most 256 characters', /^[^\n]{0,256}$/),
  },
)

const pull = keyed('Pull', {
  folder: closed(
    'FolderPull',
    { name, folder: path, mapping: path, every },
    { files: pattern('file names with * and ?', /^[^/\\]{1,200}$/), finalLineAfter: duration(0, 7 * DAY_MS) },
  ),
  url: closed(
    'UrlPull',
    { name, url: address, mapping: path, every },
    {
      headers: t.readonly(t.record(t.string, headerValue)),
      highWater,
      redirectsTo: t.readonlyArray(origin),
      timeout: duration(SECOND_MS, DAY_MS / 24),
      maxMiB: t.number,
    },
  ),
})
const pullFileCodec = t.readonlyArray(pull, 'Pulls')
type StatedPull = t.TypeOf<typeof pull>

type Env = Readonly<Record<string, string | undefined>>

const MAX_PULLS = 100
const DEFAULT_TIMEOUT = 'PT5M'
const DEFAULT_MAX_MIB = 256
const MOST_MAX_MIB = 16 * 1024

/** Every pull with its mapping, or everything that is wrong as lines of one message. Paths are relative to the file. */
export async function loadPulls(file: string, env: Env): Promise<Either<string, readonly Pull[]>> {
  let parsed: unknown
  try {
    parsed = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    const what = error instanceof SyntaxError ? 'is not JSON' : "can't be read"
    return E.left(`HEADWATER_PULL: ${file} ${what}: ${messageOf(error)}`)
  }
  const decoded = pullFileCodec.decode(parsed)
  const problems = decoded._tag === 'Left' ? [...problemsOf(decoded.left)] : []
  const pulls: Pull[] = []
  for (const [i, stated] of (decoded._tag === 'Right' ? decoded.right : []).entries()) {
    const compiled = await compile(stated, dirname(resolve(file)), env)
    if (E.isRight(compiled)) pulls.push(compiled.right)
    else problems.push(...compiled.left.map((each) => ({ ...each, path: `[${i}].${each.path}` })))
  }
  const names = pulls.map((each) => each.name)
  if (new Set(names).size < names.length) problems.push({ path: '', message: 'a name stands there twice' })
  if (names.length > MAX_PULLS) problems.push({ path: '', message: `has more than ${MAX_PULLS} pulls` })
  if (problems.length === 0) return E.right(pulls)
  return E.left(
    [`HEADWATER_PULL: ${file} is wrong:`, ...problems.map((each) => `  ${problemText(each)}`)].join('\n'),
  )
}

async function compile(
  stated: StatedPull,
  base: string,
  env: Env,
): Promise<Either<readonly Problem[], Pull>> {
  const mapping = await loadMapping(resolve(base, stated.mapping))
  if (E.isLeft(mapping)) return E.left([{ path: 'mapping', message: mapping.left.message }])
  const common = { name: stated.name, mapping: mapping.right, everyMs: durationMs(stated.every) ?? 0 }
  if ('folder' in stated) {
    const { folder, files = '*', finalLineAfter } = stated
    const finalLineAfterMs = finalLineAfter === undefined ? undefined : durationMs(finalLineAfter)
    return E.right({
      ...common,
      kind: 'folder',
      folder: resolve(base, folder),
      files: globOf(files),
      finalLineAfterMs,
    })
  }
  const problems: Problem[] = []
  const column = highWaterOf(stated, mapping.right, problems)
  const headers = headersOf(stated.headers ?? {}, env, problems)
  const { maxMiB = DEFAULT_MAX_MIB, timeout = DEFAULT_TIMEOUT } = stated
  if (!(maxMiB > 0 && maxMiB <= MOST_MAX_MIB)) {
    problems.push({ path: 'maxMiB', message: `expected a number above 0, up to ${MOST_MAX_MIB}` })
  }
  if (!URL.canParse(stated.url.replaceAll('{highWater}', ''))) {
    problems.push({ path: 'url', message: 'is no address' })
  }
  const redirectsTo = originsOf(stated.redirectsTo ?? [], problems)
  if (problems.length > 0) return E.left(problems)
  const limits = { timeoutMs: durationMs(timeout) ?? 0, maxBytes: Math.ceil(maxMiB * MIB) }
  const asked = { url: stated.url, headers, redirectsTo, highWater: column }
  return E.right({ ...common, ...limits, kind: 'url', ...asked })
}

function originsOf(stated: readonly string[], problems: Problem[]): readonly string[] {
  return stated.map((text, at) => {
    if (URL.canParse(text)) return new URL(text).origin
    problems.push({ path: `redirectsTo[${at}]`, message: 'is no address' })
    return text
  })
}

function globOf(files: string): RegExp {
  const source = files
    .replaceAll(/[.+^${}()|[\]]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'su')
}

type StatedUrl = Extract<StatedPull, { readonly url: string }>

function highWaterOf(
  stated: StatedUrl,
  mapping: CompiledMapping,
  problems: Problem[],
): HighWaterColumn | undefined {
  const { highWater: mark, url } = stated
  const asked = url.includes('{highWater}')
  if (mark === undefined) {
    if (asked) problems.push({ path: 'highWater', message: 'is required, because url has {highWater}' })
    return undefined
  }
  if (!asked) problems.push({ path: 'url', message: 'has no {highWater} for the mark to go' })
  const index = mapping.columns.indexOf(mark.column)
  if (index < 0) {
    const known = mapping.columns.join(', ')
    problems.push({ path: 'highWater.column', message: `is no column of the mapping; these are: ${known}` })
  }
  if (mapping.mapping.input.personal?.includes(mark.column)) {
    problems.push({ path: 'highWater.column', message: 'is personal: a mark is kept and shown in clear' })
  }
  return { index, as: mark.as ?? 'text', initial: mark.initial ?? '' }
}

/** `${NAME}` stands for an environment variable, so that the file holds no secret. */
function headersOf(
  stated: Readonly<Record<string, string>>,
  env: Env,
  problems: Problem[],
): readonly (readonly [string, string])[] {
  return Object.entries(stated).map(([header, value]) => {
    const path = `headers.${header}`
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(header))
      problems.push({ path, message: 'is no name of a header' })
    const filled = value.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, variable: string) => {
      const found = env[variable]
      if (found === undefined || found === '')
        problems.push({ path, message: `needs ${variable} in the environment` })
      return found ?? ''
    })
    // Whatever is in the variable is not repeated.
    if (!headerValue.is(filled))
      problems.push({ path, message: 'comes to something that no header may hold' })
    return [header, filled] as const
  })
}
