import { EngineProcess, freePort } from '../support/engine-process.ts'

/** An engine that EventStoreDB's clients reach without credentials; not started yet, so that it can be ended whatever its start does. */
export async function loopbackEngine(
  directory: string,
): Promise<{ readonly engine: EngineProcess; readonly esdbPort: number }> {
  const [port, esdbPort] = [await freePort(), await freePort()]
  const engine = new EngineProcess(port, directory, {
    HEADWATER_ESDB_PORT: String(esdbPort),
    HEADWATER_ESDB_ANONYMOUS: 'loopback',
    // An own nats-server would outlive a kill.
    NATS_URL: 'nats://127.0.0.1:1',
  })
  return { engine, esdbPort }
}
