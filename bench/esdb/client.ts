/** A process with the official client, to the server on the port that it is handed. Its orders come from the bench. */
import { EventStoreDBClient } from '@eventstore/db-client'
import { adapterRate, bareRate } from './adapter-client.ts'
import { appendRate, flood, readRate } from './client-work.ts'
import type { Found, Order } from './orders.ts'

const [port] = process.argv.slice(2)
const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${port}?tls=false`)

process.on('message', (order: Order) => {
  obey(order)
    .catch((error: unknown): Found => ({ kind: 'failed', message: String(error) }))
    .then((found) => process.send?.(found))
})
process.on('disconnect', () => process.exit())

async function obey(order: Order): Promise<Found> {
  switch (order.kind) {
    case 'append':
      return { kind: 'rate', ...(await appendRate(client, order)) }
    case 'read':
      return { kind: 'rate', ...(await readRate(client, order.events)) }
    case 'flood':
      return { kind: 'flood', ...(await flood(client, order.appends)) }
    case 'bare':
      return { kind: 'rate', ...(await bareRate(client, order)) }
    case 'adapter':
      return { kind: 'rate', ...(await adapterRate(client, order, order.directory)) }
  }
}
