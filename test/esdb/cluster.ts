import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import * as E from 'fp-ts/lib/Either.js'
import { appendHandler } from '../../api/esdb/append.ts'
import type { EsdbBackend } from '../../api/esdb/backend.ts'
import { batchAppendHandler } from '../../api/esdb/batch-append.ts'
import type { CallContext } from '../../api/esdb/calls.ts'
import { batchError } from '../../api/esdb/errors.ts'
import { supportedMethods } from '../../api/esdb/features.ts'
import {
  ClusterInfo,
  EndPoint,
  GossipService,
  MemberInfo,
  messages,
  ServerFeaturesService,
  StreamsService,
  type shared,
} from '../../api/esdb/protocol.ts'
import { readHandler } from '../../api/esdb/read.ts'
import { Streams } from '../../api/esdb/streams.ts'
import { Unfinished } from '../../api/esdb/unfinished.ts'
import { uuidMessage } from '../../api/esdb/wire.ts'
import { systemClock } from '../../engine/clock.ts'

const HOST = '127.0.0.1'

/** How a node meets appends. */
export type Treatment =
  | 'take'
  /** Taken, and answered as one that isn't. */
  | 'lose_answer'
  /** Not taken: as a server answers that couldn't write in time. */
  | 'time_out'
  /** Not taken before it is told to go on. */
  | 'hold'

/** One of several servers over the same events, of which one leads: a stand-in for a cluster that replicates at once. */
export class ClusterNode {
  readonly #cluster: Cluster
  readonly #server = new Server()
  #stopping = new AbortController()
  #ending = new AbortController()
  #goOn = Promise.withResolvers<void>()
  treatment: Treatment = 'take'
  isAlive = true
  /** Appends that it has taken. */
  taken = 0
  port = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async open(): Promise<void> {
    this.#server.addService(StreamsService, {
      read: this.#read,
      append: this.#appendCall,
      batchAppend: this.#batchAppend,
    })
    this.#server.addService(ServerFeaturesService, { getSupportedMethods: supportedMethods })
    this.#server.addService(GossipService, { read: this.#gossip })
    this.port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`${HOST}:0`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      )
    })
  }

  readonly #read: handleServerStreamingCall<messages.ReadReq, messages.ReadResp> = (call) =>
    readHandler(this.#context(this.#ending.signal))(call)

  readonly #appendCall: handleClientStreamingCall<messages.AppendReq, messages.AppendResp> = (
    call,
    answer,
  ) => (this.#leads ? appendHandler(this.#context())(call, answer) : answer(this.#notLeader()))

  readonly #batchAppend: handleBidiStreamingCall<messages.BatchAppendReq, messages.BatchAppendResp> = (
    call,
  ) => {
    call.on('error', () => undefined)
    const isTaken = this.#leads && this.treatment !== 'time_out'
    call.on('data', (request) => {
      if (!(request instanceof messages.BatchAppendReq)) throw new Error('no append')
      if (!this.#leads) call.emit('error', this.#notLeader())
      else if (!isTaken && request.getIsFinal()) call.write(timedOut(request))
    })
    if (isTaken) return batchAppendHandler(this.#context())(call)
    this.#stopping.signal.addEventListener('abort', () =>
      call.emit('error', { code: status.UNAVAILABLE, details: 'Server Is Not Ready' }),
    )
  }

  readonly #gossip: handleUnaryCall<shared.Empty, InstanceType<typeof ClusterInfo>> = (_call, answer) =>
    answer(null, this.#cluster.gossip())

  /** Ends all open calls as unavailable; later ones are answered. */
  dropCalls(): void {
    this.#stopping.abort()
    this.#stopping = new AbortController()
    this.dropReads()
  }

  /** Ends reads and subscriptions alone. */
  dropReads(): void {
    this.#ending.abort()
    this.#ending = new AbortController()
  }

  goOn(): void {
    this.treatment = 'take'
    this.#goOn.resolve()
    this.#goOn = Promise.withResolvers()
  }

  /** As a machine that fails. */
  die(): void {
    this.isAlive = false
    this.#server.forceShutdown()
  }

  get #leads(): boolean {
    return this.#cluster.leader === this
  }

  #context(stopping = this.#stopping.signal): CallContext {
    const { backend } = this.#cluster
    return {
      backend: new Streams({ ...backend, append: (...append) => this.#append(...append) }, () =>
        systemClock.nowMs(),
      ),
      checkAccess: () => undefined,
      maxAppendBytes: 4 * 1024 * 1024,
      unfinished: new Unfinished(),
      nowMs: () => systemClock.nowMs(),
      stopping,
      onDefect: (error) => {
        throw error
      },
    }
  }

  readonly #append: EsdbBackend['append'] = async (...append) => {
    if (this.treatment === 'hold') await this.#goOn.promise
    if (!this.#leads) return E.left({ _tag: 'Unavailable', reason: 'Server Is Not Ready' })
    const done = await this.#cluster.backend.append(...append)
    this.taken += 1
    if (this.treatment !== 'lose_answer') return done
    return E.left({ _tag: 'Unavailable', reason: 'Server Is Too Busy' })
  }

  #notLeader(): Pick<ServiceError, 'code' | 'details' | 'metadata'> {
    const metadata = new Metadata()
    metadata.set('exception', 'not-leader')
    metadata.set('leader-endpoint-host', HOST)
    metadata.set('leader-endpoint-port', String(this.#cluster.leader.port))
    return { code: status.NOT_FOUND, details: 'Leader info available', metadata }
  }
}

export class Cluster {
  readonly backend: EsdbBackend
  readonly nodes: readonly [ClusterNode, ClusterNode]
  leader: ClusterNode
  /** How often somebody asked who leads. */
  asked = 0

  constructor(backend: EsdbBackend) {
    this.backend = backend
    this.nodes = [new ClusterNode(this), new ClusterNode(this)]
    this.leader = this.nodes[0]
  }

  async open(): Promise<this> {
    for (const node of this.nodes) await node.open()
    return this
  }

  /** The other one leads. */
  change(): ClusterNode {
    const [first, second] = this.nodes
    this.leader = this.leader === first ? second : first
    return this.leader
  }

  close(): void {
    for (const node of this.nodes) node.die()
  }

  gossip(): InstanceType<typeof ClusterInfo> {
    this.asked += 1
    const cluster = new ClusterInfo()
    for (const [index, node] of this.nodes.entries()) {
      const place = new EndPoint()
      place.setAddress(HOST)
      place.setPort(node.port)
      const member = new MemberInfo()
      member.setInstanceId(uuidMessage(`00000000-0000-4000-8000-00000000000${index}`, true))
      member.setTimeStamp(String(systemClock.nowMs()))
      const { LEADER, FOLLOWER } = MemberInfo.VNodeState
      member.setState(node === this.leader ? LEADER : FOLLOWER)
      member.setIsAlive(node.isAlive)
      member.setHttpEndPoint(place)
      cluster.addMembers(member)
    }
    return cluster
  }
}

function timedOut(request: messages.BatchAppendReq): messages.BatchAppendResp {
  const response = new messages.BatchAppendResp()
  response.setError(batchError({ _tag: 'DeadlineExceeded' }, { kind: 'any' }))
  response.setCorrelationId(request.getCorrelationId())
  response.setStreamIdentifier(request.getOptions()?.getStreamIdentifier())
  return response
}
