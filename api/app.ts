import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fastify } from 'fastify'
import type { ApiDeps } from './deps.ts'
import { registerDocumentation } from './documentation.ts'
import { nameAndPlace } from './failure-place.ts'
import {
  PROBLEM_CONTENT_TYPE,
  Problem,
  problemBody,
  problemOfFramework,
  problemOfLog,
  sendProblem,
} from './problem.ts'
import { requestTallies } from './request-tallies.ts'
import { registerAnalytics } from './routes/analytics.ts'
import { registerAudit } from './routes/audit.ts'
import { registerConflicts } from './routes/conflicts.ts'
import { registerConsole } from './routes/console.ts'
import { registerDemo } from './routes/demo.ts'
import { registerDuplicates } from './routes/duplicates.ts'
import { registerErasures } from './routes/erasure.ts'
import { registerFields } from './routes/fields.ts'
import { registerIngest } from './routes/ingest.ts'
import { registerLog } from './routes/log.ts'
import { registerObjects } from './routes/objects.ts'
import { registerOperations } from './routes/operations.ts'
import { registerPast } from './routes/past.ts'
import { registerProfiles } from './routes/profiles.ts'
import { registerPulls } from './routes/pulls.ts'
import { registerQuarantine } from './routes/quarantine.ts'
import { registerRecords } from './routes/records.ts'
import { registerSchemas } from './routes/schemas.ts'
import { registerSurvivorship } from './routes/survivorship.ts'
import { registerVersions } from './routes/versions.ts'
import { accessChecker, hostChecker, setCorsHeaders, setSecurityHeaders } from './security.ts'

/** Bodies of all routes but the way in: look-ups and corrections. */
const SMALL_BODY_BYTES = 2 * 1024 * 1024
/** An identity of 512 characters, each percent-encoded as UTF-8. */
const MAX_PARAMETER_LENGTH = 6 * 1024

const REQUEST_TIMEOUT_MS = 120_000

/** The HTTP api, ready to listen or to be asked by `inject`. */
export async function buildApp(deps: ApiDeps): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: Math.min(SMALL_BODY_BYTES, deps.configuration.bodyLimitBytes),
    // A sender that trickles its request is let go.
    requestTimeout: REQUEST_TIMEOUT_MS,
    // A missing Host gets our answer, not Node's bare one.
    http: { requireHostHeader: false },
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH, querystringParser: () => ({}) },
    frameworkErrors: (error, _, reply) => void sendProblem(reply, problemOf(error) ?? malformed()),
    clientErrorHandler,
  })
  // Schemas document; the codecs decide.
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
  guard(app, deps)
  observe(app, deps)
  answerErrors(app, deps)
  const methods = rememberMethods(app)
  app.setNotFoundHandler((request, reply) => sendProblem(reply, notFound(request, methods)))
  parseJsonBodies(app)
  await registerDocumentation(app, deps)
  await registerIngest(app, deps)
  registerProfiles(app, deps)
  registerRecords(app, deps)
  registerFields(app, deps)
  registerObjects(app, deps)
  registerAnalytics(app, deps)
  registerQuarantine(app, deps)
  registerConflicts(app, deps)
  registerSurvivorship(app, deps)
  registerDuplicates(app, deps)
  registerErasures(app, deps)
  registerLog(app, deps)
  registerAudit(app, deps)
  registerOperations(app, deps)
  registerPast(app, deps)
  registerPulls(app, deps)
  registerVersions(app, deps)
  registerSchemas(app)
  registerDemo(app, deps)
  registerConsole(app)
  await app.ready()
  return app
}

/** First of all, for every request, known route or not: Host, then credentials. */
function guard(app: FastifyInstance, deps: ApiDeps): void {
  const checkHost = hostChecker(deps.configuration)
  const checkAccess = accessChecker(deps.credentials)
  app.addHook('onRequest', (request, reply, done) => {
    const { access, cors } = request.routeOptions.config
    setSecurityHeaders(reply)
    if (cors === true) setCorsHeaders(reply)
    checkHost(request.headers.host)
    if (!request.is404) checkAccess(access, request)
    done()
  })
}

/** The access log and the request metrics know the route's pattern, never an address: addresses name people. */
function observe(app: FastifyInstance, deps: ApiDeps): void {
  const count = requestTallies(deps.metrics)
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none')
    const method = KNOWN_METHODS.has(request.method) ? request.method : 'OTHER'
    const { statusCode: status, elapsedTime: durationMs } = reply
    count(method, route, status, durationMs)
    const level = levelOf(status, durationMs)
    deps.logger[level]({ method, route, status, durationMs: Math.round(durationMs) }, 'request')
    done()
  })
}

/** What an operator wants to be told of; of the rest the metrics have the number and the durations. */
function levelOf(status: number, durationMs: number): 'debug' | 'info' | 'warn' {
  if (status >= 500) return 'warn'
  if (durationMs >= SLOW_MS) return 'info'
  return status >= 400 && !ORDINARY.has(status) ? 'info' : 'debug'
}

const SLOW_MS = 1_000

/** Nobody of that id; and too much at once, when lines of the log would only add to it. */
const ORDINARY: ReadonlySet<number> = new Set([404, 429])

const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
])

function answerErrors(app: FastifyInstance, deps: ApiDeps): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    if (problem !== undefined) return sendProblem(reply, problem)
    deps.logger.error({ route: request.routeOptions.url, error: nameAndPlace(error) }, 'a request failed')
    return sendProblem(
      reply,
      new Problem('internal', 'The request failed; the log of the engine says where.'),
    )
  })
}

function problemOf(error: unknown): Problem | undefined {
  return error instanceof Problem ? error : (problemOfLog(error) ?? problemOfFramework(error))
}

function malformed(): Problem {
  return new Problem('bad_request', 'The request is malformed.')
}

/** A connection that didn't manage to send a request gets its answer without a framework. */
function clientErrorHandler(
  error: { code?: string },
  socket: { writable: boolean; end(text: string): void; destroy(): void },
) {
  if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy()
  const body = JSON.stringify(problemBody(malformed()))
  const length = Buffer.byteLength(body)
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: ${PROBLEM_CONTENT_TYPE}\r\ncontent-length: ${length}`
  socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`)
}

interface KnownRoute {
  readonly pattern: RegExp
  readonly methods: readonly string[]
}

/** Which methods each address knows, to tell 405 from 404. */
function rememberMethods(app: FastifyInstance): readonly KnownRoute[] {
  const routes: KnownRoute[] = []
  app.addHook('onRoute', ({ url, method }) => {
    const source = url.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/:[A-Za-z]+/g, '[^/]+')
    routes.push({ pattern: new RegExp(`^${source}$`), methods: [method].flat() })
  })
  return routes
}

function notFound(request: FastifyRequest, routes: readonly KnownRoute[]): Problem {
  const path = request.url.split('?', 1)[0] ?? ''
  const methods = new Set(
    routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods),
  )
  if (methods.size === 0) return new Problem('not_found', 'There is nothing at this address.')
  const allow = [...methods].sort().join(', ')
  return new Problem('method_not_allowed', `This address knows ${allow}.`, { headers: { allow } })
}

/** Parsed by the engine's own JSON: the codecs look at what comes out, whatever its keys are. */
function parseJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(/^application\/(?:[a-z.-]+\+)?json\b/, { parseAs: 'string' }, (_, text, done) => {
    try {
      done(null, text === '' ? undefined : JSON.parse(String(text)))
    } catch {
      done(
        new Problem('unparsable_body', 'The body is not JSON.', {
          errors: [{ path: '', message: 'is not JSON' }],
        }),
      )
    }
  })
}
