import type { AuditThread } from '../../engine/audit/audit.ts'
import type { Clock } from '../../engine/clock.ts'
import type { Head } from '../../engine/log/log.ts'
import type { Metrics } from '../metrics.ts'

/** What operators watch of tree heads. */
export function observeAudit(
  { gauge }: Pick<Metrics, 'gauge'>,
  audit: Pick<AuditThread, 'status'>,
  log: { head(): Head },
  clock: Clock,
): void {
  const openedMs = clock.nowMs()
  gauge('headwater_audit_tree_size', 'Events hashed into the Merkle tree.', () => audit.status().size)
  gauge(
    'headwater_audit_tree_head_size',
    'Events that the newest signed tree head covers.',
    () => audit.status().treeHead?.size ?? 0,
  )
  gauge(
    'headwater_audit_tree_head_age_seconds',
    "Time since a tree head was signed, or since the start; 0 while it covers the log's last event.",
    () => {
      const { treeHead } = audit.status()
      if ((treeHead?.position ?? 0) >= log.head().position) return 0
      return Math.max(0, clock.nowMs() - (treeHead?.signedMs ?? openedMs)) / 1000
    },
  )
  gauge(
    'headwater_audit_refused',
    "1 while no tree head is signed: the log isn't what was signed before.",
    () => {
      const { refusal, failure } = audit.status()
      return refusal === undefined && failure === undefined ? 0 : 1
    },
  )
  gauge(
    'headwater_audit_rebuilt_tiles',
    'Tiles that were missing or damaged and were made anew from the log, since the start.',
    () => audit.status().rebuiltTiles,
  )
}
