import gossip from '@eventstore/db-client/generated/gossip_grpc_pb.js'
import gossipMessages from '@eventstore/db-client/generated/gossip_pb.js'
import features from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import featureMessages from '@eventstore/db-client/generated/serverfeatures_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import rpcStatus from '@eventstore/db-client/generated/status_pb.js'
import streams from '@eventstore/db-client/generated/streams_grpc_pb.js'
import messages from '@eventstore/db-client/generated/streams_pb.js'
import anyMessages from 'google-protobuf/google/protobuf/any_pb.js'
import emptyMessages from 'google-protobuf/google/protobuf/empty_pb.js'

/**
 * EventStoreDB's services and messages, as they ship with its Node client: the one file that takes them from there. They are
 * CommonJS whose names can't be seen from outside, hence the whole modules.
 */
export const { StreamsService } = streams
export const { GossipService } = gossip
export const { ServerFeaturesService } = features
export const { SupportedMethod, SupportedMethods } = featureMessages
export const { ClusterInfo, EndPoint, MemberInfo } = gossipMessages
export const { Any } = anyMessages
/** Of google.protobuf; `shared.Empty` is EventStoreDB's own, with the same bytes. */
export const { Empty } = emptyMessages
export const { Status: RpcStatus } = rpcStatus
export { messages, shared }
