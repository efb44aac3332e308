import type { EsdbRecord } from './backend.ts'
import type { Streams } from './streams.ts'
import { LINK_TYPE } from './system-names.ts'

/** What a reader is told of one place: the event there, or the one that a link there stands for. */
export interface Resolved {
  /** undefined: the link's event was never written, or is hidden from reads of its stream. */
  readonly event: EsdbRecord | undefined
  readonly link?: EsdbRecord | undefined
}

/** A link is resolved once: one that it leads to is shown as it is. */
export async function resolved(streams: Pick<Streams, 'view'>, link: EsdbRecord): Promise<Resolved> {
  const target = targetOf(link)
  if (target === undefined) return { event: link }
  const { stream, revision } = target
  const view = await streams.view(stream)
  if (view.kind !== 'visible') return { event: undefined, link }
  // EventStoreDB's -1 is a stream's last event.
  const from = revision === -1 ? view.last : revision
  if (from < view.first || from > view.last) return { event: undefined, link }
  for await (const [event] of view.read({ direction: 'forwards', from, limit: 1 })) return { event, link }
  return { event: undefined, link }
}

interface Target {
  readonly stream: string
  readonly revision: number
}

/** undefined: it is no link, or one that begins with no number, which EventStoreDB takes for an event too. */
function targetOf({ type, data }: EsdbRecord): Target | undefined {
  if (type !== LINK_TYPE) return undefined
  const [, revision, stream] =
    /^\s*([+-]?\d{1,19})\s*(?:@(.*))?$/su.exec(Buffer.from(data).toString('utf8')) ?? []
  return revision === undefined ? undefined : { stream: stream ?? '', revision: Number(revision) }
}
