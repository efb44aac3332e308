import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import type { View } from './views.ts'
import { registerView } from './views.ts'

/** The record views. To offer another read model as a collection, add its line. */
export const RECORDS: readonly View[] = [
  { path: '/v1/opportunities', projection: 'opportunity', tag: 'Sales', items: true },
  { path: '/v1/leads', projection: 'lead', tag: 'Sales', items: true, namespace: 'lead' },
  { path: '/v1/accounts', projection: 'account', tag: 'Sales', items: true, namespace: 'account' },
  { path: '/v1/contacts', projection: 'contact', tag: 'Sales', items: true, namespace: 'contact' },
  { path: '/v1/sessions', projection: 'session', tag: 'Profiles', items: false },
  { path: '/v1/campaigns', projection: 'campaign', tag: 'Marketing', items: true },
  { path: '/v1/campaign-members', projection: 'campaign_member', tag: 'Marketing', items: true },
  { path: '/v1/cases', projection: 'case', tag: 'Service', items: true },
  { path: '/v1/orders', projection: 'customer_orders', tag: 'Commerce', items: false },
]

export function registerRecords(app: FastifyInstance, deps: ApiDeps): void {
  for (const view of RECORDS) registerView(app, deps, view)
}
