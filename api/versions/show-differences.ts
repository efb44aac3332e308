import type { BuildDiff, FieldDiff, RowDiff } from '../../engine/projector/diff.ts'
import type { Because } from '../../engine/projector/diff-explain.ts'
import { formatInstant, type ProfileOf, presentCell } from '../routes/cells.ts'
import type { Differences } from './compare.ts'

/** As routes answer it: values as rows show them. */
export function showDifferences({ position, diffs }: Differences, profileOf: ProfileOf) {
  return { kind: 'differences', position, diffs: diffs.map((diff) => showDiff(diff, profileOf)) }
}

function showDiff({ sample, ...diff }: BuildDiff, profileOf: ProfileOf) {
  return { ...diff, sample: sample.map((row) => showRow(row, profileOf)) }
}

function showRow({ change, key, part, fields }: RowDiff, profileOf: ProfileOf) {
  return { change, id: key, part, fields: fields.map((field) => showField(field, profileOf)) }
}

function showField({ column, type, from, to, because }: FieldDiff, profileOf: ProfileOf) {
  return {
    column,
    from: presentCell(type, from, profileOf),
    to: presentCell(type, to, profileOf),
    ...(because === undefined
      ? {}
      : { because: { from: because.from.map(showBecause), to: because.to.map(showBecause) } }),
  }
}

function showBecause({ time, ...because }: Because) {
  return { ...because, time: formatInstant(time) }
}
