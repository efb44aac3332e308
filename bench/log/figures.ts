import type { Figure } from '../report.ts'

/** The one list: quick and full runs report these names, in this order. */
export const LOG_FIGURES = {
  append: { name: 'append_1000_events_per_s', unit: 'events/s', atLeast: 400_000 },
  vsBare: { name: 'append_1000_vs_bare', unit: 'ratio', atLeast: 0.6 },
  vsSqlite: { name: 'append_1000_vs_sqlite', unit: 'ratio', atLeast: 5 },
  vsPostgres: { name: 'append_1000_vs_postgres', unit: 'ratio', atLeast: 5 },
  vsEmmett: { name: 'append_1000_vs_emmett', unit: 'ratio', atLeast: 15 },
  growth: { name: 'append_10m_vs_100k', unit: 'ratio', atLeast: 0.9 },
  duplicateBytes: { name: 'duplicate_bytes_per_event', unit: 'bytes' },
  single: { name: 'append_1_vs_raw', unit: 'ratio', atLeast: 0.6 },
  writers: { name: 'append_64_writers_events_per_s', unit: 'events/s' },
  writersP99: { name: 'append_64_writers_p99_ms', unit: 'ms' },
  read: { name: 'read_events_per_s', unit: 'events/s', atLeast: 1_000_000 },
  skip: { name: 'skip_vs_read', unit: 'ratio', atLeast: 4 },
  person: { name: 'stream_read_p99_ms', unit: 'ms', atMost: 5 },
  sealed: { name: 'sealed_events_per_s', unit: 'events/s', atLeast: 50_000 },
  proofs: { name: 'proofs_per_s', unit: 'proofs/s', atLeast: 1_000 },
  verify: { name: 'verify_mb_per_s', unit: 'MB/s', atLeast: 100 },
} as const satisfies Readonly<Record<string, Figure>>

export type LogFigureKey = keyof typeof LOG_FIGURES
