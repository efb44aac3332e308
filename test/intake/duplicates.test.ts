/**
 * Theorem: of the positions that may hold a key the one that does is found, whatever others are among them, and none where
 * none does.
 */
import { expect, test } from 'vitest'
import { findDuplicate } from '../../engine/intake/duplicates.ts'

const RECORDED = [
  { source: 'crm', id: 'a', position: 1 },
  { source: 'web', id: 'b', position: 2 },
  { source: 'web', id: 'a', position: 3 },
]

const at = async (position: number) => RECORDED[position - 1]

test('the event with this source and id', async () => {
  expect(await findDuplicate([1, 2, 3], { source: 'web', id: 'a' }, at)).toBe(RECORDED[2])
  expect(await findDuplicate([3, 1], { source: 'crm', id: 'a' }, at)).toBe(RECORDED[0])
})

test('none among strangers, places that hold nothing, or nowhere', async () => {
  expect(await findDuplicate([1, 2, 9], { source: 'web', id: 'a' }, at)).toBeUndefined()
  expect(await findDuplicate([], { source: 'web', id: 'a' }, at)).toBeUndefined()
})

test('fails where the log cannot be read', async () => {
  const broken = () => Promise.reject(new Error('damaged'))
  await expect(findDuplicate([1], { source: 'crm', id: 'a' }, broken)).rejects.toThrow('damaged')
})
