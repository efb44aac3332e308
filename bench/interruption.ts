/** Settles with a signal or when the time is over, whatever comes first. */
export function interrupted(deadlineMs: number) {
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
