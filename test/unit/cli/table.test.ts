import { describe, expect, test } from '@jest/globals'
import { age, portList, size, table, timestamp } from '../../../src/cli/table.ts'
import type { PortSpec } from '../../../src/model.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

describe('ages, as kubectl shows them', () => {
  const cases: [ms: number, text: string][] = [
    [-5, '0s'],
    [0, '0s'],
    [999, '0s'],
    [119 * SECOND, '119s'],
    [2 * MINUTE, '2m'],
    [5 * MINUTE + 3 * SECOND, '5m3s'],
    [10 * MINUTE + 3 * SECOND, '10m'],
    [179 * MINUTE, '179m'],
    [3 * HOUR, '3h'],
    [7 * HOUR + 59 * MINUTE, '7h59m'],
    [8 * HOUR + 59 * MINUTE, '8h'],
    [47 * HOUR, '47h'],
    [2 * DAY, '2d'],
    [3 * DAY + 4 * HOUR, '3d4h'],
    [8 * DAY + 4 * HOUR, '8d'],
    [729 * DAY, '729d'],
    [730 * DAY, '2y'],
    [731 * DAY, '2y1d'],
    [9 * 365 * DAY, '9y'],
  ]
  for (const [ms, text] of cases) test(text, () => expect(age(ms)).toBe(text))
})

test('sizes in powers of 1000', () => {
  expect([0, 999, 1000, 2_130_000, 25_300_000_000, 5e15].map(size)).toEqual([
    '0 B',
    '999 B',
    '1 kB',
    '2.13 MB',
    '25.3 GB',
    '5000 TB',
  ])
})

test('columns are as wide as their widest cell, and lines have no blanks at the end', () => {
  expect(
    table(
      ['NAME', 'PORTS'],
      [
        ['a-long-name', ''],
        ['b', '80/tcp'],
      ],
    ),
  ).toBe('NAME          PORTS\na-long-name\nb             80/tcp\n')
  expect(table(['NAME', 'READY'], [])).toBe('NAME   READY\n')
})

test('ports', () => {
  const port = (hostIp: string, hostPort?: number): PortSpec => ({
    containerPort: 53,
    protocol: 'udp',
    hostIp,
    ...(hostPort === undefined ? {} : { hostPort }),
  })
  expect(portList([port('', 5353), port('127.0.0.1', 53), port('::1', 54), port('')])).toBe(
    '0.0.0.0:5353->53/udp, 127.0.0.1:53->53/udp, [::1]:54->53/udp, 53/udp',
  )
})

test('times for scripts', () => {
  expect(timestamp(0)).toBe('1970-01-01T00:00:00.000Z')
  expect(timestamp(undefined)).toBeNull()
})
