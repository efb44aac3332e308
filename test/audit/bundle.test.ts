// Theorem: a proof bundle verifies against the tree head that it leads to and against those that consistency proofs tie
// to it; altered in any byte, of another position, or led to by a fork, it doesn't. Without a head from outside nothing
// more is claimed than that it fits together.
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SignedTreeHead } from '../../engine/audit/audit.ts'
import { consistencyBundle, inclusionBundle } from '../../engine/audit/bundle.ts'
import { treeHeadText } from '../../engine/audit/note.ts'
import {
  type Bundle,
  formatBundle,
  type InclusionBundle,
  parseBundle,
  parseVerifierKey,
  VerificationFailed,
  verifyBundles,
} from '../../engine/audit/verify.ts'
import { AuditWorld, anyEvents, OTHER_SIGNER, SIGNER } from './world.ts'

const FIRST = 300
const SECOND = 420
const key = parseVerifierKey(SIGNER.verifierKey)
const world = new AuditWorld()
let first: SignedTreeHead
let second: SignedTreeHead

beforeAll(async () => {
  await world.append(...anyEvents(FIRST))
  first = signed(await world.auditUntil(FIRST))
  await world.append(...anyEvents(SECOND - FIRST, FIRST))
  await world.until(() => world.auditor.head?.size === SECOND)
  second = signed(world.auditor.head)
})
afterAll(() => world.close())

function signed(head: SignedTreeHead | undefined): SignedTreeHead {
  if (head === undefined) throw new Error('nothing was signed')
  return head
}

async function inclusion(position: number, size?: number): Promise<InclusionBundle> {
  const proof = await world.auditor.prover.proveInclusion(position, size)
  if (proof === undefined) throw new Error('no proof')
  return inclusionBundle(proof, size === FIRST ? first.note : undefined)
}

const consistency = (): Bundle =>
  consistencyBundle(first.note, world.auditor.prover.proveConsistency(FIRST, SECOND), second)
const refused = (work: () => unknown) => expect(work).toThrow(VerificationFailed)

test('an event against the newest tree head, and against an older one', async () => {
  for (const position of [1, 7, 256, 257, FIRST]) {
    expect(verifyBundles([await inclusion(position)], key, second.note).againstOutside).toBe(true)
    expect(verifyBundles([await inclusion(position, FIRST)], key, first.note).againstOutside).toBe(true)
  }
})

test('a newer tree head than the one kept: a consistency proof ties them', async () => {
  const bundle = await inclusion(FIRST + 5)
  expect(() => verifyBundles([bundle], key, first.note)).toThrow('nothing ties it')
  expect(verifyBundles([bundle, consistency()], key, first.note).bundles).toHaveLength(2)
  expect(verifyBundles([consistency(), await inclusion(3, FIRST)], key, second.note).againstOutside).toBe(
    true,
  )
})

test('without a head from outside, nothing is said to be verified against one', async () => {
  expect(verifyBundles([await inclusion(3)], key, undefined).againstOutside).toBe(false)
})

test('a proof of one position is none of another', async () => {
  const [three, four] = [await inclusion(3), await inclusion(4)]
  refused(() => verifyBundles([{ ...three, position: 4 }], key, second.note))
  refused(() => verifyBundles([{ ...three, leafIndex: 3 }], key, second.note))
  refused(() => verifyBundles([{ ...three, path: four.path }], key, second.note))
  refused(() => verifyBundles([{ ...three, event: four.event }], key, second.note))
  refused(() => verifyBundles([{ ...three, event: four.event, entry: four.entry }], key, second.note))
})

describe('forks', () => {
  const rival = SIGNER.sign(treeHeadText(SIGNER.name, SECOND, Buffer.alloc(32, 1)))

  test('two heads of one size by one key are told as what they are', async () => {
    const bundle = await inclusion(3)
    expect(() => verifyBundles([bundle], key, rival)).toThrow('the log was changed')
  })

  test('a consistency proof to the fork fails', () => {
    const path = world.auditor.prover.proveConsistency(FIRST, SECOND)
    refused(() => verifyBundles([consistencyBundle(first.note, path, { note: rival })], key, first.note))
  })

  test('the empty log ties nothing to anything', async () => {
    const empty = SIGNER.sign(treeHeadText(SIGNER.name, 0, Buffer.alloc(32)))
    const ties = [consistencyBundle(empty, [], first), consistencyBundle(empty, [], second)]
    const bundle = await inclusion(FIRST + 1)
    refused(() => verifyBundles([...ties, bundle], key, first.note))
  })

  test('two logs that begin alike aren’t tied by what they share', async () => {
    const other = new AuditWorld()
    try {
      await other.append(...anyEvents(FIRST))
      const fork = signed(await other.auditUntil(FIRST))
      await other.append(...anyEvents(50, 9_000))
      await other.until(() => other.auditor.head?.size === FIRST + 50)
      const forked = signed(other.auditor.head)
      const down = consistency()
      const up = consistencyBundle(
        fork.note,
        other.auditor.prover.proveConsistency(FIRST, FIRST + 50),
        forked,
      )
      const proof = await other.auditor.prover.proveInclusion(FIRST + 10)
      if (proof === undefined) throw new Error('no proof')
      expect(Buffer.compare(fork.root, first.root)).toBe(0)
      // Head kept elsewhere: `second`. It begins with `first`, and so does the fork.
      refused(() => verifyBundles([down, up, inclusionBundle(proof)], key, second.note))
      expect(verifyBundles([up, inclusionBundle(proof)], key, first.note).againstOutside).toBe(true)
    } finally {
      await other.close()
    }
  })
})

test('a tree head of another key is refused, inside and outside', async () => {
  const bundle = await inclusion(3)
  const forged = OTHER_SIGNER.sign(treeHeadText(SIGNER.name, SECOND, second.root))
  refused(() => verifyBundles([{ ...bundle, treeHead: forged }], key, second.note))
  refused(() => verifyBundles([bundle], key, forged))
  refused(() => verifyBundles([bundle], parseVerifierKey(OTHER_SIGNER.verifierKey), undefined))
})

test('a bundle altered in any byte isn’t verified', async () => {
  for (const bundle of [await inclusion(77), consistency()]) {
    const bytes = Buffer.from(formatBundle(bundle))
    verifyBundles([parseBundle(bytes.toString('utf8'))], key, second.note)
    const alteration = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
    fc.assert(
      fc.property(alteration, ([at, change]) => {
        const altered = Buffer.from(bytes)
        altered[at] = (altered[at] ?? 0) ^ change
        refused(() => verifyBundles([parseBundle(altered.toString('utf8'))], key, second.note))
      }),
      { numRuns: 400 },
    )
    for (const length of [0, 1, bytes.length - 2, bytes.length - 1])
      refused(() => parseBundle(bytes.toString('utf8', 0, length)))
    refused(() => parseBundle(`${bytes.toString('utf8')}\n`))
  }
})

test('whatever is no bundle is refused and no crash', () => {
  const texts = [
    '',
    'null\n',
    '[]\n',
    '{}\n',
    '{"format":"headwater-inclusion-proof/1"}\n',
    '{"__proto__":{}}\n',
    '1\n',
  ]
  for (const text of texts) refused(() => parseBundle(text))
  fc.assert(
    fc.property(fc.json(), (text) => {
      refused(() => parseBundle(`${text}\n`))
    }),
    { numRuns: 50 },
  )
})
