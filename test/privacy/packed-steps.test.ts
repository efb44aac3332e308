/** Theorem: whatever steps are packed, the thread that unpacks them gets the same ones in the same order. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { packSteps, type Step, StepPacker, unpackSteps } from '../../engine/privacy/packed-steps.ts'

const PARAMETER = fc.oneof(
  fc.constant(null),
  fc.double({ noNaN: true }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.uint8Array({ maxLength: 40 }),
  fc.constant('long'.repeat(20_000)),
)
const STEP: fc.Arbitrary<Step> = fc.tuple(fc.nat(255), fc.array(PARAMETER, { maxLength: 6 }))

function plain(steps: Iterable<Step>): unknown[] {
  return Array.from(steps, ([statement, parameters]) => [
    statement,
    parameters.map((each) =>
      each instanceof Uint8Array ? { blob: Buffer.from(each).toString('hex') } : each,
    ),
  ])
}

test('any steps', () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 20 }), (steps) => {
      expect(plain(unpackSteps(packSteps(steps)))).toEqual(plain(steps))
    }),
    { numRuns: 100 },
  )
})

test('hexadecimal digits are the blob that they stand for', () => {
  const packer = new StepPacker()
  packer.begin(3, 1)
  packer.hex('00ff7a')
  expect(plain(unpackSteps(packer.finish()))).toEqual([[3, [{ blob: '00ff7a' }]]])
})
