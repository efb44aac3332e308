import type { handleUnaryCall } from '@grpc/grpc-js'
import { SupportedMethod, SupportedMethods, type shared } from './protocol.ts'

/** The release of EventStoreDB whose protocol is spoken. */
const SPOKEN_VERSION = '23.10.0'

const PERSISTENT = 'event_store.client.persistent_subscriptions.persistentsubscriptions'

/**
 * Clients choose by this list by what way they call. What isn't in it answers UNIMPLEMENTED, and so do persistent subscriptions,
 * which are in it all the same: where they aren't, clients ask for some of them by HTTP, which nobody answers here.
 */
const METHODS: readonly (readonly [service: string, method: string, ...features: readonly string[]])[] = [
  ['event_store.client.streams.streams', 'read'],
  ['event_store.client.streams.streams', 'append'],
  ['event_store.client.streams.streams', 'batchappend'],
  ['event_store.client.streams.streams', 'delete'],
  ['event_store.client.streams.streams', 'tombstone'],
  [PERSISTENT, 'create', 'stream', 'all'],
  [PERSISTENT, 'update', 'stream', 'all'],
  [PERSISTENT, 'delete', 'stream', 'all'],
  [PERSISTENT, 'read', 'stream', 'all'],
  [PERSISTENT, 'getinfo', 'stream', 'all'],
  [PERSISTENT, 'list', 'stream', 'all'],
  [PERSISTENT, 'replayparked', 'stream', 'all'],
  [PERSISTENT, 'restartsubsystem'],
  ['event_store.client.gossip.gossip', 'read'],
  ['event_store.client.server_features.serverfeatures', 'getsupportedmethods'],
]

type Answer = InstanceType<typeof SupportedMethods>

export const supportedMethods: handleUnaryCall<shared.Empty, Answer> = (_call, answer) => {
  const methods = new SupportedMethods()
  methods.setEventStoreServerVersion(SPOKEN_VERSION)
  for (const [service, name, ...features] of METHODS) {
    const method = new SupportedMethod()
    method.setServiceName(service)
    method.setMethodName(name)
    method.setFeaturesList(features)
    methods.addMethods(method)
  }
  answer(null, methods)
}
