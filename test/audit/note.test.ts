// Theorem: signed notes, verifier keys and signer keys are those of https://c2sp.org/signed-note and of Go's
// golang.org/x/mod/sumdb/note, whose example opens here; tile paths are those of https://c2sp.org/tlog-tiles. What isn't
// signed by the key asked for, or is written otherwise, is refused.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseTilePath, partialTiles, tilePath } from '../../engine/audit/format.ts'
import { parseSignerKey, treeHeadText } from '../../engine/audit/note.ts'
import {
  openTreeHead,
  parseTreeHead,
  parseVerifierKey,
  splitNote,
  VerificationFailed,
} from '../../engine/audit/verify.ts'
import { OTHER_SIGNER, SIGNER } from './world.ts'

const ROOT = Buffer.alloc(32, 7)
const text = treeHeadText(SIGNER.name, 300, ROOT)
const note = SIGNER.sign(text)
const key = parseVerifierKey(SIGNER.verifierKey)
const refused = (work: () => void) => expect(work).toThrow(VerificationFailed)

describe('the example of Go’s note package', () => {
  const GO_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
  const GO_SIGNER = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz'
  const GO_TEXT =
    'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n'.replace(
      '’',
      "'",
    )
  const GO_NOTE = `${GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`

  test('the verifier key is read, and the signer key is the one it belongs to', () => {
    expect(parseVerifierKey(GO_KEY).name).toBe('PeterNeumann')
    expect(parseSignerKey(GO_SIGNER)?.verifierKey).toBe(GO_KEY)
  })

  test('signing gives the note, byte for byte; it verifies, but holds no tree head', () => {
    expect(parseSignerKey(GO_SIGNER)?.sign(GO_TEXT)).toBe(GO_NOTE)
    expect(() => openTreeHead(GO_NOTE, parseVerifierKey(GO_KEY))).toThrow('holds no tree head')
  })
})

test('a tree head comes back as it was signed', () => {
  expect(openTreeHead(note, key)).toEqual({ origin: SIGNER.name, size: 300, root: ROOT })
  expect(parseTreeHead(splitNote(note).text).size).toBe(300)
})

test('signatures of others may stand beside ours', () => {
  const witnessed = `${note}— witness.example/w ${Buffer.alloc(76, 3).toString('base64')}\n`
  expect(openTreeHead(witnessed, key).size).toBe(300)
})

test('another key of the same name is refused', () => {
  expect(() => openTreeHead(OTHER_SIGNER.sign(text), key)).toThrow('another key')
  refused(() => openTreeHead(note, parseVerifierKey(OTHER_SIGNER.verifierKey)))
})

test('a head of another log is refused, signed by the key though it is', () => {
  refused(() => openTreeHead(SIGNER.sign(treeHeadText('headwater/other', 300, ROOT)), key))
})

test('any byte of a note that is changed is noticed', () => {
  const bytes = Buffer.from(note)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ change
      refused(() => openTreeHead(changed.toString('utf8'), key))
    }),
    { numRuns: 400 },
  )
})

test('whatever is no note, no key, no head is refused and no crash', () => {
  const texts = [
    '',
    '\n',
    '\n\n',
    'a\n\n',
    'a\n\nb\n',
    '\ud800\n\n— a AAAAAAAA\n',
    `a\0\n\n— a AAAAAAAA\n`,
    'x'.repeat(200_000),
  ]
  for (const each of texts) refused(() => splitNote(each))
  for (const each of [
    '',
    'a+b+c',
    `${SIGNER.verifierKey}=`,
    SIGNER.verifierKey.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
    ` ${SIGNER.verifierKey}`,
  ])
    refused(() => parseVerifierKey(each))
  const root = ROOT.toString('base64')
  for (const each of [
    `o\n01\n${root}\n`,
    `o\n-1\n${root}\n`,
    `o\n1e3\n${root}\n`,
    `\n1\n${root}\n`,
    `o\n1\nAAAA\n`,
    `o\n99999999999999999\n${root}\n`,
  ])
    refused(() => parseTreeHead(each))
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (each) => {
      refused(() => openTreeHead(each, key))
      expect(parseSignerKey(each)).toBeUndefined()
    }),
    { numRuns: 100 },
  )
})

describe('tile paths', () => {
  test('those of the specification', () => {
    expect(tilePath({ level: 0, index: 1_234_067, width: 256 })).toBe('tile/0/x001/x234/067')
    expect(tilePath({ level: 'entries', index: 0, width: 12 })).toBe('tile/entries/000.p/12')
    // Its example of a tree of 70,000.
    expect(partialTiles(70_000).map(tilePath)).toEqual([
      'tile/entries/273.p/112',
      'tile/0/273.p/112',
      'tile/1/001.p/17',
      'tile/2/000.p/1',
    ])
    expect(partialTiles(256).map(tilePath)).toEqual(['tile/1/000.p/1'])
  })

  test('a path is read back as it was written, and in no other form', () => {
    const tiles = fc.record({
      level: fc.oneof(fc.nat(63), fc.constant('entries' as const)),
      index: fc.oneof(fc.nat(2_000_000), fc.nat(999)),
      width: fc.integer({ min: 1, max: 256 }),
    })
    fc.assert(
      fc.property(tiles, (tile) => {
        expect(parseTilePath(tilePath(tile))).toEqual({ ...tile })
      }),
    )
    const others = [
      'tile/0/0',
      'tile/00/000',
      'tile/64/000',
      'tile/0/x000/000',
      'tile/0/000.p/0',
      'tile/0/000.p/256',
      'tile/0/000.p/012',
      'tile/0/../000',
      'tile/0/1000',
      'tile/0/001/000',
      'tile/-1/000',
      'tile/0/000/',
      'tile/0/000\n',
    ]
    for (const path of others) expect(parseTilePath(path)).toBeUndefined()
  })
})
