// Ends with 0 if the engine in this container is ready. A file of its own, so that no shell and no curl is needed.
const port = process.env.HEADWATER_PORT || '7070'

try {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4_000) })
  process.exitCode = answer.ok ? 0 : 1
} catch {
  process.exitCode = 1
}
