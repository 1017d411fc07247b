/**
 * Hostile manifests through the real command: refused with a place, within 256 MiB. Time is not asserted, because other
 * tests run beside this one; TSPOD_FIGURES=1 prints what each took.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

const LAUNCHER = join(import.meta.dirname, '../../../bin/tspod')
const MAX_RSS_KIB = 256 * 1024
/** Runs its arguments and tells what became of them and the most memory they had. */
const MEASURE = `
import json, resource, subprocess, sys
end = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({'code': end.returncode, 'said': end.stderr.decode()[:20000], 'rssKiB': used.ru_maxrss,
  'cpuMs': round((used.ru_utime + used.ru_stime) * 1000)}))`

type Measured = { code: number; said: string; rssKiB: number; cpuMs: number }

let folder = ''
const figures: string[] = []
beforeAll(() => {
  folder = mkdtempSync('/var/tmp/tspod-hostile-')
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  if (process.env.TSPOD_FIGURES === '1') process.stdout.write(`${figures.join('\n')}\n`)
})

async function validate(name: string, content: string | Buffer): Promise<Measured> {
  const file = join(folder, 'hostile.yaml')
  writeFileSync(file, content)
  const argv = ['-c', MEASURE, LAUNCHER, 'kube', 'validate', file]
  const { stdout } = await promisify(execFile)('/usr/bin/python3', argv, { maxBuffer: 64 * 1024 * 1024 })
  const measured = JSON.parse(stdout) as Measured
  figures.push(`${name}: ${measured.cpuMs} ms of CPU, ${Math.round(measured.rssKiB / 1024)} MiB`)
  return measured
}

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('')
const pod = (rest: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: [{name: a, image: b}]\n${rest}`

/** What each is refused with. */
const cases: Record<string, [content: () => string | Buffer, says: RegExp]> = {
  'nine levels of aliases': [
    () => `a0: &a0 [${'x,'.repeat(10)}]\n${lines(9, i => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]\n`)}`,
    /:\d+:\d+ error YAML_LIMIT[\s\S]*values, aliases counted in full/,
  ],
  'an alias of itself': [() => 'a: &a [*a]\n', /:1:8 error YAML_SYNTAX[\s\S]*contains itself/],
  'a million aliases': [() => `a: &a x\nb: [${'*a,'.repeat(1_000_000)}]\n`, /YAML_LIMIT/],
  'a million aliases in three documents': [
    () => `a: &a x\nb: [${'*a,'.repeat(90_000)}]\n---\n`.repeat(4),
    /YAML_LIMIT/,
  ],
  'a million aliases in small documents': [
    () => `a: &a x\nb: [${'*a,'.repeat(2_000)}]\n---\n`.repeat(200),
    /YAML_LIMIT/,
  ],
  'maps without a meaning in small documents': [() => `a: [${'{k: 1},'.repeat(600)}]\n---\n`.repeat(200), /YAML_LIMIT/],
  'three documents of maps without a meaning': [
    () => `a: [${'{k: 1},'.repeat(36_000)}]\n---\n`.repeat(4),
    /YAML_LIMIT/,
  ],
  'a hundred thousand brackets': [() => '['.repeat(100_000), /:1:\d+ error YAML_LIMIT[\s\S]*levels deep/],
  'a hundred thousand braces': [() => '{a: '.repeat(100_000), /YAML_LIMIT/],
  'a hundred thousand nested lists': [() => '- '.repeat(100_000), /YAML_LIMIT/],
  'ten thousand nested maps': [() => lines(2_700, i => `${' '.repeat(i)}a:\n`), /YAML_LIMIT/],
  'a hundred thousand documents': [() => '---\na: b\n'.repeat(100_000), /YAML_LIMIT/],
  'a list of a million': [() => `a: [${'x,'.repeat(1_000_000)}]`, /YAML_LIMIT/],
  'a map of half a million': [() => lines(400_000, i => `k${i}: v\n`), /YAML_LIMIT/],
  'merges of merges': [
    () => lines(3_000, i => `m${i}: &m${i}\n${i === 0 ? '' : `  <<: *m${i - 1}\n`}  k${i}: v\n`),
    /YAML_LIMIT/,
  ],
  'an ordered map': [() => `a: !!omap [${lines(25_000, i => `{k${i}: 1},`)}]`, /the tag !!omap has no meaning/],
  'thirty thousand repeated keys': [() => pod('k: 1\n'.repeat(30_000)), /DUPLICATE_KEY/],
  'twenty thousand unknown fields': [() => pod(lines(20_000, i => `u${i}: 1\n`)), /UNKNOWN_FIELD/],
  'keys of Object.prototype': [
    () => pod('__proto__: {polluted: 1}\nconstructor: {prototype: {polluted: 1}}\n'),
    /unknown field "__proto__"[\s\S]*unknown field "constructor"/,
  ],
  'keys of Object.prototype among labels, data and variables': [
    () =>
      ['__proto__', 'constructor', 'prototype', 'toString']
        .flatMap(key => [
          pod('').replace('{name: a}', `{name: a, labels: {${key}: x}, annotations: {${key}: x}}`),
          `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${key.toLowerCase().replaceAll('_', 'u')}}\ndata: {${key}: x}\nbinaryData: {${key}: eA==}\n`,
          pod('').replace('image: b', `image: b, env: [{name: ${key}, value: x}], resources: {limits: {${key}: 1}}`),
        ])
        .join('---\n'),
    /__proto__/,
  ],
  'a text of 200 MiB': [() => Buffer.alloc(200 * 1024 * 1024, 'x'), /larger than|more than/],
  'a text of 60 MiB': [() => Buffer.alloc(60 * 1024 * 1024, 'x'), /larger than|more than/],
  'a text of 3 MB in quotes': [() => pod(`zone: "${'x'.repeat(3_000_000)}"\n`), /a text of more than 1500000/],
  'a text of 1.4 MB of escapes': [() => pod(`zone: "${"\\'".repeat(700_000)}"\n`), /unknown field "zone"/],
  'a quote that never ends': [() => pod(`zone: "${'x\n '.repeat(400_000)}`), /the closing " of this text is missing/],
  NUL: [() => pod('zone: "\0"\n'), /:6:8 error YAML_SYNTAX[\s\S]*not valid UTF-8/],
  'UTF-16': [() => Buffer.from(`\ufeff${pod('')}`, 'utf16le'), /is not UTF-8 text/],
  'bytes that are no UTF-8': [() => Buffer.from([...Buffer.from(pod('z: ')), 0xc3, 0x28]), /is not UTF-8 text/],
  'a quantity with a huge exponent': [
    () => pod('').replace('image: b', 'image: b, resources: {limits: {cpu: 1e999999999}}'),
    /is not a quantity/,
  ],
}

describe('S21 a hostile manifest is refused, with a place and little memory', () => {
  for (const [name, [content, says]] of Object.entries(cases)) {
    test(name, async () => {
      const { code, said, rssKiB } = await validate(name, content())
      expect(said).toMatch(says)
      expect(code).toBe(125)
      expect(rssKiB).toBeLessThan(MAX_RSS_KIB)
    })
  }

  test('a pod of a thousand busy containers is no attack, nor are five hundred pods of three', async () => {
    const busy = (index: number): string => `  - name: c${index}
    image: registry.example.com/team/app:1.2.3
    command: [/bin/app, --port, "8080"]
    env:
    - {name: MODE, value: fast}
    - name: POD
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    ports:
    - name: http
      containerPort: 8080
    resources:
      limits: {cpu: 500m, memory: 64Mi}
      requests: {cpu: 100m, memory: 32Mi}
    securityContext:
      runAsUser: 1000
      capabilities: {drop: [ALL]}
    volumeMounts:
    - name: v
      mountPath: /data
`
    const head = (name: string): string =>
      `---\napiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  volumes: [{name: v, emptyDir: {}}]\n  containers:\n`
    const texts = {
      'a thousand busy containers': `${head('one')}${lines(1000, busy)}`,
      'five hundred pods of three': lines(500, index => `${head(`p${index}`)}${lines(3, busy)}`),
    }
    for (const [name, text] of Object.entries(texts)) {
      const { code, said, rssKiB } = await validate(name, text)
      expect([code, said]).toEqual([0, ''])
      expect(rssKiB).toBeLessThan(2 * MAX_RSS_KIB)
    }
  })

  test('ten thousand containers are no attack', async () => {
    const text = `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n${lines(10_000, i => `  - name: c${i}\n    image: app:1\n`)}`
    const { code, rssKiB } = await validate('ten thousand containers', text)
    expect(code).toBe(0)
    expect(rssKiB).toBeLessThan(2 * MAX_RSS_KIB)
  })
})
