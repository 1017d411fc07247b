import { createHash, createHmac } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { hmacSha256, sha256 } from '../../src/digest.ts'

const TEXTS = ['', 'abc', 'Grüße, 世界 🚀', 'a\0b', 'x'.repeat(1_000_003)]

test.each(TEXTS.map(text => [text.length, text] as const))('of %i characters, as node:crypto has it', (_, text) => {
  expect(sha256(text)).toBe(createHash('sha256').update(text).digest('hex'))
  expect(sha256(Buffer.from(text))).toBe(sha256(text))
  for (const key of ['', 'key', 'k'.repeat(200)])
    expect(hmacSha256(key, text)).toBe(createHmac('sha256', key).update(text).digest('hex'))
})

test('of a part of a buffer', () => {
  expect(sha256(Buffer.from('xabcx').subarray(1, 4))).toBe(sha256('abc'))
})
