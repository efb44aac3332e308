// Theorem: an implementation of RFC 6962 and of signed checkpoints that isn't ours (Sigstore's) accepts our proofs and
// tree heads, and refuses them for another entry, place or key.
import { createPublicKey } from 'node:crypto'
import { verifyCheckpoint } from '@sigstore/verify/dist/tlog/checkpoint.js'
import { verifyMerkleInclusion } from '@sigstore/verify/dist/tlog/merkle.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { InclusionProof } from '../../engine/audit/audit.ts'
import { parseVerifierKey } from '../../engine/audit/verify.ts'
import { AuditWorld, anyEvents, SIGNER } from './world.ts'

type Entry = Parameters<typeof verifyMerkleInclusion>[0]

const world = new AuditWorld()
beforeAll(async () => {
  await world.append(...anyEvents(700))
  await world.auditUntil(700)
})
afterAll(() => world.close())

/** As Sigstore has a log entry. */
function entryOf({ entry, leafIndex, size, path, treeHead }: InclusionProof): Entry {
  const inclusionProof = {
    logIndex: String(leafIndex),
    treeSize: String(size),
    rootHash: Buffer.from(treeHead.root),
    hashes: path.map((hash) => Buffer.from(hash)),
    checkpoint: { envelope: treeHead.note },
  }
  return { canonicalizedBody: Buffer.from(entry), inclusionProof } as Entry
}

function authorityOf(verifierKey: string): Parameters<typeof verifyCheckpoint>[1][number] {
  const { id, name, publicKey } = parseVerifierKey(verifierKey)
  const spki = createPublicKey({
    key: publicKey.export({ format: 'der', type: 'spki' }),
    format: 'der',
    type: 'spki',
  })
  return {
    logID: Buffer.from(id),
    baseURL: name,
    publicKey: spki,
    validFor: { start: new Date(0), end: new Date(0) },
  }
}

async function proofOf(position: number): Promise<InclusionProof> {
  const proof = await world.auditor.prover.proveInclusion(position)
  if (proof === undefined) throw new Error('no proof')
  return proof
}

test('our tree head is a signed checkpoint', async () => {
  const entry = entryOf(await proofOf(1))
  const checkpoint = verifyCheckpoint(entry, [authorityOf(SIGNER.verifierKey)])
  expect([checkpoint.origin, checkpoint.logSize]).toEqual([SIGNER.name, 700n])
})

test('our inclusion proofs verify, and no others', async () => {
  const positions = [1, 2, 3, 255, 256, 257, 511, 512, 513, 600, 699, 700]
  for (const position of positions) {
    const proof = await proofOf(position)
    const entry = entryOf(proof)
    const checkpoint = verifyCheckpoint(entry, [authorityOf(SIGNER.verifierKey)])
    verifyMerkleInclusion(entry, checkpoint)
    const leafIndex = (proof.leafIndex + 1) % 700
    expect(() => verifyMerkleInclusion(entryOf({ ...proof, leafIndex }), checkpoint)).toThrow()
    const changed = Buffer.from(proof.entry)
    changed[39] = (changed[39] ?? 0) ^ 1
    expect(() => verifyMerkleInclusion(entryOf({ ...proof, entry: changed }), checkpoint)).toThrow()
  }
})
