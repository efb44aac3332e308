import { randomUUID } from 'node:crypto'
import type { handleUnaryCall } from '@grpc/grpc-js'
import { ClusterInfo, EndPoint, MemberInfo, type shared } from './protocol.ts'
import { uuidMessage } from './wire.ts'

interface Node {
  /** Where clients reach us, once it is known. */
  readonly endpoint: () => { readonly host: string; readonly port: number }
  readonly nowMs: () => number
}

/** A cluster of one node, which leads it. */
export function gossipOf({
  endpoint,
  nowMs,
}: Node): handleUnaryCall<shared.Empty, InstanceType<typeof ClusterInfo>> {
  const instance = randomUUID()
  return (_call, answer) => {
    const { host, port } = endpoint()
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
