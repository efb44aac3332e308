/** How long a measurement that was told to end may take for that. */
const ABORT_WITHIN_MS = 5_000

/** Measures until that is done, a signal comes or the time is over; the last two end it by `abort`, and are noted as failures. */
export async function measureWithin(
  deadlineMs: number,
  measure: () => Promise<unknown>,
  abort: () => unknown,
  failures: string[],
): Promise<'done' | 'signal' | 'deadline'> {
  const interruption = interrupted(deadlineMs)
  try {
    const measuring = measure()
    const why = await Promise.race([measuring.then(() => 'done' as const), interruption.promise])
    if (why === 'done') return why
    failures.push(why === 'signal' ? 'interrupted' : 'the time that a bench may take was over')
    await abort()
    await Promise.race([measuring, new Promise((resolve) => setTimeout(resolve, ABORT_WITHIN_MS).unref())])
    return why
  } finally {
    interruption.dispose()
  }
}

/** Settles with a signal or when the time is over, whatever comes first. */
function interrupted(deadlineMs: number) {
  const { promise, resolve } = Promise.withResolvers<'signal' | 'deadline'>()
  const onSignal = (): void => resolve('signal')
  const timer = setTimeout(() => resolve('deadline'), deadlineMs)
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    promise,
    dispose(): void {
      clearTimeout(timer)
      process.removeListener('SIGINT', onSignal)
      process.removeListener('SIGTERM', onSignal)
    },
  }
}
