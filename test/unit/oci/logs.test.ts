import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { systemClock } from '../../../src/clock.ts'
import { LineJoiner, type LogLine, type LogOptions, parseEntry, readLogs } from '../../../src/oci/logs.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync('/tmp/tspod-logs-')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001+00:00`
const entry = (second: number, text: string, tag = 'F', stream = 'stdout'): string =>
  `${at(second)} ${stream} ${tag} ${text}\n`
const path = (name = 'a'): string => join(directory, `${name}.log`)

async function read(options: LogOptions = {}, names: string[] = ['a']): Promise<LogLine[]> {
  const lines: LogLine[] = []
  for await (const line of readLogs(
    names.map(name => ({ container: name, path: path(name) })),
    options,
  ))
    lines.push(line)
  return lines
}
const texts = async (options: LogOptions = {}, names: string[] = ['a']): Promise<string[]> =>
  (await read(options, names)).map(line => (names.length > 1 ? `${line.container} ${line.text}` : line.text))

describe('entries', () => {
  test('a whole one', () => {
    expect(parseEntry('2026-11-22T07:16:35.177910630+00:00 stderr F a  b ')).toEqual({
      time: '2026-11-22T07:16:35.177910630+00:00',
      stream: 'stderr',
      full: true,
      text: 'a  b ',
    })
  })
  test('an empty line', () => expect(parseEntry(entry(1, '').trimEnd().concat(' '))?.text).toBe(''))
  for (const broken of ['', 'hello', '2026-01-01 stdout F x', `${at(1)} stdin F x`, `${at(1)} stdout X x`]) {
    test(`${JSON.stringify(broken)} is none`, () => expect(parseEntry(broken)).toBeUndefined())
  }
})

test('parts of a line are joined per stream, with the time of the first', async () => {
  writeFileSync(path(), entry(1, 'one ', 'P') + entry(2, 'err', 'F', 'stderr') + entry(3, 'line', 'F'))
  expect((await read()).map(({ time, stream, text }) => [time, stream, text])).toEqual([
    [at(2), 'stderr', 'err'],
    [at(1), 'stdout', 'one line'],
  ])
})

test('a line whose end never came is shown at the end', async () => {
  writeFileSync(path(), entry(1, 'whole') + entry(2, 'prompt> ', 'P'))
  expect(await texts()).toEqual(['whole', 'prompt> '])
})

test('an endless line is handed out in pieces', () => {
  const joiner = new LineJoiner('a')
  const part = { time: at(1), stream: 'stdout', full: false, text: 'x'.repeat(600_000) } as const
  expect(joiner.add(part)).toBeUndefined()
  expect(joiner.add(part)?.text).toHaveLength(1_200_000)
  expect(joiner.rest()).toEqual([])
})

test('what is no entry is left out', async () => {
  writeFileSync(path(), `torn wri${entry(1, 'good')}`.replace('good\n', 'x\n') + entry(2, 'good'))
  expect(await texts()).toEqual(['good'])
})

test('a log that is not there is empty', async () => expect(await texts()).toEqual([]))

describe('tail', () => {
  const many = 20_000
  const write = (): void =>
    writeFileSync(path(), Array.from({ length: many }, (_, n) => entry(n % 60, `line ${n}`)).join(''))
  for (const tail of [0, 1, 3, 1000, 5000, many, many + 1]) {
    test(`the last ${tail} of ${many}`, async () => {
      write()
      const wanted = Math.min(tail, many)
      const lines = await texts({ tail })
      expect(lines).toHaveLength(wanted)
      if (wanted > 0) expect([lines[0], lines.at(-1)]).toEqual([`line ${many - wanted}`, `line ${many - 1}`])
    })
  }

  test('counts joined lines, whatever their length and number', async () => {
    const line = fc.record({
      text: fc.string({ maxLength: 30 }).map(text => text.replace(/\n/g, ' ')),
      parts: fc.integer({ min: 1, max: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 40 }), fc.integer({ min: 0, max: 45 }), async (lines, tail) => {
        writeFileSync(
          path(),
          lines.map(({ text, parts }) => `${entry(1, text, 'P').repeat(parts - 1)}${entry(1, text)}`).join(''),
        )
        const all = lines.map(({ text, parts }) => text.repeat(parts))
        expect(await texts({ tail })).toEqual(tail === 0 ? [] : all.slice(-tail))
      }),
      { numRuns: 60 },
    )
  })
})

test('since leaves out what is older', async () => {
  writeFileSync(path(), entry(1, 'old') + entry(5, 'new') + entry(6, 'newer'))
  expect(await texts({ sinceMs: Date.parse(at(5)) })).toEqual(['new', 'newer'])
  expect(await texts({ untilMs: Date.parse(at(5)) })).not.toContain('newer')
})

test('several containers come in the order of time, also within one millisecond', async () => {
  writeFileSync(path('a'), entry(1, '1') + entry(4, '4'))
  writeFileSync(path('b'), entry(2, '2').replace('000000001', '000000003') + entry(3, '3'))
  writeFileSync(path('c'), entry(2, 'first').replace('000000001', '000000002'))
  expect(await texts({}, ['a', 'b', 'c'])).toEqual(['a 1', 'c first', 'b 2', 'b 3', 'a 4'])
})

describe('what is not a plain file', () => {
  test('a link is not followed', async () => {
    writeFileSync(join(directory, 'canary'), entry(1, 'secret'))
    symlinkSync(join(directory, 'canary'), path())
    await expect(read()).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
  })

  test('a FIFO does not hang', async () => {
    execFileSync('mkfifo', [path()])
    await expect(read()).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
  })
})

describe('follow', () => {
  /** Follows until over() and collects; `act` runs after the first line was seen. */
  async function follow(act: () => void, until: number): Promise<string[]> {
    const lines: string[] = []
    let over = false
    const follow = { isOver: () => over, clock: systemClock }
    for await (const line of readLogs([{ container: 'a', path: path() }], { follow })) {
      lines.push(line.text)
      if (lines.length === 1) act()
      if (lines.length === until) over = true
    }
    return lines
  }

  test('new lines, also when their end comes later', async () => {
    writeFileSync(path(), entry(1, 'first'))
    const rest = entry(2, 'second') + entry(3, 'third')
    const lines = await follow(() => {
      appendFileSync(path(), rest.slice(0, 50))
      setTimeout(() => appendFileSync(path(), rest.slice(50)), 30)
    }, 3)
    expect(lines).toEqual(['first', 'second', 'third'])
  })

  test('a fresh file in its place', async () => {
    writeFileSync(path(), entry(1, 'first'))
    const lines = await follow(() => {
      appendFileSync(path(), entry(2, 'last of the old'))
      writeFileSync(`${path()}.tmp`, entry(3, 'first of the new'))
      renameSync(`${path()}.tmp`, path())
    }, 3)
    expect(lines).toEqual(['first', 'last of the old', 'first of the new'])
  })

  test('a truncated file', async () => {
    writeFileSync(path(), entry(1, 'first and quite long, so that the next is shorter'))
    const lines = await follow(() => writeFileSync(path(), entry(2, 'anew')), 2)
    expect(lines).toEqual(['first and quite long, so that the next is shorter', 'anew'])
  })

  test('a log that appears later, and ends when it is over', async () => {
    setTimeout(() => writeFileSync(path(), entry(1, 'first')), 30)
    expect(await follow(() => undefined, 1)).toEqual(['first'])
  })

  test('what was written before the end is not lost', async () => {
    writeFileSync(path(), '')
    let asked = 0
    const isOver = (): boolean => {
      if (asked++ === 0) return false
      appendFileSync(path(), entry(1, 'last words'))
      return true
    }
    expect(await texts({ follow: { isOver, clock: systemClock } })).toEqual(['last words'])
  })

  test('ends when it is told to', async () => {
    writeFileSync(path(), entry(1, 'first'))
    const stop = AbortSignal.timeout(30)
    expect(await texts({ follow: { isOver: () => false, clock: systemClock, signal: stop } })).toEqual(['first'])
  })
})
