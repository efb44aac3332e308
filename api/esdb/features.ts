import type { handleUnaryCall } from '@grpc/grpc-js'
import { SupportedMethod, SupportedMethods, type shared } from './protocol.ts'

/** The release of EventStoreDB whose protocol is spoken. */
const SPOKEN_VERSION = '23.10.0'

/** Clients choose by this list how they append. What isn't in it answers UNIMPLEMENTED. */
const METHODS: readonly (readonly [service: string, method: string])[] = [
  ['event_store.client.streams.streams', 'read'],
  ['event_store.client.streams.streams', 'append'],
  ['event_store.client.streams.streams', 'batchappend'],
  ['event_store.client.gossip.gossip', 'read'],
  ['event_store.client.server_features.serverfeatures', 'getsupportedmethods'],
]

type Answer = InstanceType<typeof SupportedMethods>

export const supportedMethods: handleUnaryCall<shared.Empty, Answer> = (_call, answer) => {
  const methods = new SupportedMethods()
  methods.setEventStoreServerVersion(SPOKEN_VERSION)
  for (const [service, name] of METHODS) {
    const method = new SupportedMethod()
    method.setServiceName(service)
    method.setMethodName(name)
    methods.addMethods(method)
  }
  answer(null, methods)
}
