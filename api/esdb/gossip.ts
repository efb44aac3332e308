import { randomUUID } from 'node:crypto'
import type { handleUnaryCall } from '@grpc/grpc-js'
import { ClusterInfo, EndPoint, MemberInfo, type shared } from './protocol.ts'
import { uuidMessage } from './wire.ts'

interface Endpoint {
  readonly host: string
  readonly port: number
}

interface Node {
  /** Where we listen, once it is known. */
  readonly endpoint: () => Endpoint
  readonly nowMs: () => number
}

/** A cluster of one node, which leads it. */
export function gossipOf({
  endpoint,
  nowMs,
}: Node): handleUnaryCall<shared.Empty, InstanceType<typeof ClusterInfo>> {
  const instance = randomUUID()
  return (call, answer) => {
    const { host, port } = reachedAt(call.getHost(), endpoint())
    const place = new EndPoint()
    place.setAddress(host)
    place.setPort(port)
    const member = new MemberInfo()
    member.setInstanceId(uuidMessage(instance, true))
    member.setTimeStamp(String(nowMs()))
    member.setState(MemberInfo.VNodeState.LEADER)
    member.setIsAlive(true)
    member.setHttpEndPoint(place)
    const cluster = new ClusterInfo()
    cluster.addMembers(member)
    answer(null, cluster)
  }
}

/** Where the client reached us it reaches us again; what we listen on may be any address, behind a mapped port. */
function reachedAt(authority: string | undefined, own: Endpoint): Endpoint {
  const [, host, port] = /^([\w.-]+|\[[\w:.%]+\])(?::(\d{1,5}))?$/.exec(authority ?? '') ?? []
  return host === undefined ? own : { host, port: port === undefined ? own.port : Number(port) }
}
