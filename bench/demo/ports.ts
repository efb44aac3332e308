import { createServer } from 'node:net'

/** `wanted` if nobody listens there, else one that the kernel picks. */
export async function freePort(wanted: number): Promise<number> {
  return (await listenable(wanted)) ?? (await listenable(0)) ?? wanted
}

export async function isFree(port: number): Promise<boolean> {
  return (await listenable(port)) !== undefined
}

function listenable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(undefined))
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' ? (address?.port ?? undefined) : undefined))
    })
  })
}
