/** Volumes of files, and what claims ask for. */
import { describe, expect, test } from '@jest/globals'
import { formatMap } from '../../../src/kube/pod/downward.ts'
import type { ProjectedFile } from '../../../src/model.ts'
import { issuesOf, podOf, podText, translated } from './world.ts'

describe('labels and annotations in a file', () => {
  const cases: Record<string, [values: Record<string, string>, text: string]> = {
    'are sorted, one a line, without an end of line': [{ b: '2', a: '1' }, 'a="1"\nb="2"'],
    'are nothing where there are none': [{}, ''],
    'have quotes and backslashes escaped': [{ a: '"\\' }, 'a="\\"\\\\"'],
    'have control characters escaped as in Go': [{ a: '\n\t\0\u001b\u007f' }, 'a="\\n\\t\\x00\\x1b\\x7f"'],
    'have what can be printed as it is': [{ a: 'é 漢 🙂' }, 'a="é 漢 🙂"'],
    'have other blanks escaped': [{ a: '\u00a0\u2028' }, 'a="\\u00a0\\u2028"'],
    'may be called anything': [{ ['__proto__']: 'x' }, '__proto__="x"'],
  }
  for (const [name, [values, text]] of Object.entries(cases)) test(name, () => expect(formatMap(values)).toBe(text))

  test('never make a second line of one value', () => {
    for (let code = 0; code < 0x3000; code++)
      expect(formatMap({ a: String.fromCharCode(code) })).not.toMatch(/[\n\r\u0085\u2028\u2029]/)
  })
})

describe('projected files', () => {
  const text = (file: ProjectedFile | undefined): string =>
    file !== undefined && 'base64' in file ? Buffer.from(file.base64, 'base64').toString() : ''
  const files = (sources: string): readonly ProjectedFile[] => {
    const [volume] = podOf(
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: one, b: two}\n---\n${podText(`volumes: [{name: v, projected: {${sources}}}]`)}`,
      { storedSecret: name => (name === 's' ? { a: Buffer.from('hidden').toString('base64') } : undefined) },
    ).volumes
    return volume?.kind === 'files' ? volume.files : []
  }

  test('of a later source win, and remember that they are secret', () => {
    const list = files('sources: [{configMap: {name: m}}, {secret: {name: s}}]')
    expect(list.map(file => [file.path, text(file), 'secret' in file])).toEqual([
      ['a', 'hidden', true],
      ['b', 'two', false],
    ])
  })

  test('have the mode of the item, of the volume, or 0644', () => {
    const item = 'downwardAPI: {items: [{path: x, mode: 0400, fieldRef: {fieldPath: metadata.name}}]}'
    expect(files(`sources: [{${item}}, {configMap: {name: m}}]`).map(({ mode }) => mode)).toEqual([0o400, 0o644, 0o644])
    expect(files('defaultMode: 0640, sources: [{configMap: {name: m}}]').map(({ mode }) => mode)).toEqual([
      0o640, 0o640,
    ])
  })

  test('may come of nothing', () => expect(files('sources: []')).toEqual([]))
})

describe("Podman's annotations of a claim", () => {
  const claim = (key: string, value: string): string =>
    `apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, annotations: {volume.podman.io/${key}: "${value}"}}\n`
  const at = (key: string): string => `metadata.annotations[volume.podman.io/${key}]`
  const rows: [key: string, value: string, finds: string[]][] = [
    ['driver', 'local', []],
    ['driver', 'nfs', [`UNSUPPORTED_VALUE ${at('driver')}`]],
    ['uid', '1000', []],
    ['gid', '0', []],
    ['uid', 'root', [`INVALID_VALUE ${at('uid')}`]],
    ['gid', '4294967295', [`INVALID_VALUE ${at('gid')}`]],
    ['driver', 'image', [`UNSUPPORTED_VALUE ${at('driver')}`]],
    ['device', '/dev/sdz1', []],
    ['device', '-o remount', [`INVALID_VALUE ${at('device')}`]],
    ['device', '', [`INVALID_VALUE ${at('device')}`]],
    ['type', 'ext4', [`REQUIRED ${at('type')}`]],
    ['mount-options', 'ro', [`REQUIRED ${at('mount-options')}`]],
    ['import-source', '/a.tar', []],
    ['import-source', 'https://example.com/a.tar', [`UNSUPPORTED_VALUE ${at('import-source')}`]],
    ['image', 'a', [`NOT_SUPPORTED ${at('image')}`]],
    ['devise', 'x', [`UNKNOWN_FIELD ${at('devise')}`]],
  ]
  const given = (annotations: Record<string, string>): string => {
    const entries = Object.entries(annotations).map(([key, value]) => `volume.podman.io/${key}: "${value}"`)
    return `apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, annotations: {${entries.join(', ')}}}\n`
  }

  test('say how a device is mounted, but not by programs that they name', () => {
    expect(issuesOf(given({ device: 'tmpfs', type: 'tmpfs', 'mount-options': 'size=1m,noexec' }))).toEqual([])
    expect(issuesOf(given({ device: 'sh#x', type: 'fuse' }))).toEqual([expect.stringContaining('UNSUPPORTED_VALUE')])
    expect(issuesOf(given({ device: '/a', type: '../x' }))).toEqual([expect.stringContaining('INVALID_VALUE')])
    expect(issuesOf(given({ device: '/a', 'mount-options': '-x' }))).toEqual([expect.stringContaining('INVALID_VALUE')])
    expect(issuesOf(given({ device: '/a', 'import-source': 'a.tar' }))).toEqual([expect.stringContaining('FORBIDDEN')])
  })

  test('name an archive beside the manifest', () => {
    const sourceOf = (source: string) => translated(given({ 'import-source': source })).bundle.claims[0]?.importSource
    expect(['/srv/a.tar', './a.tar', 'a.tar'].map(sourceOf)).toEqual(['/srv/a.tar', '/base/a.tar', '/base/a.tar'])
  })

  test('of a flag are looked at like those of the document', () => {
    const flag = (key: string, value: string) =>
      issuesOf(given({}), { annotations: { [`volume.podman.io/${key}`]: value } })
    expect(flag('uid', '7')).toEqual([])
    expect(flag('uid', 'root')).toEqual([expect.stringContaining('INVALID_VALUE metadata')])
    expect(flag('device', '-o')).toEqual([expect.stringContaining('INVALID_VALUE metadata')])
    expect(flag('image', 'a')).toEqual([expect.stringContaining('NOT_SUPPORTED metadata')])
  })

  test('are looked at in templates too, which are not filled', () => {
    const template = (key: string): string =>
      `volumeClaimTemplate: {metadata: {annotations: {volume.podman.io/${key}: /a}}}`
    const volume = (key: string): string[] => issuesOf(podText(`volumes: [{name: v, ephemeral: {${template(key)}}}]`))
    expect(volume('device')).toEqual([])
    expect(volume('import-source')).toEqual([expect.stringContaining('FORBIDDEN')])
    expect(volume('image')).toEqual([expect.stringContaining('NOT_SUPPORTED')])
  })

  for (const [key, value, finds] of rows) {
    test(`${key}: ${value} is ${finds.length === 0 ? 'taken' : 'refused'}`, () => {
      expect(issuesOf(claim(key, value)).map(issue => issue.replace(/^\S+ /, ''))).toEqual(finds)
    })
  }
})

test('a name that is longer than the kernel takes is refused, and without a subdomain there is none', () => {
  const long = `hostname: ${'h'.repeat(40)}, subdomain: pages, setHostnameAsFQDN: true`
  expect(issuesOf(podText(long))).toEqual([expect.stringContaining('TOO_LONG spec.setHostnameAsFQDN')])
  const alone = podOf(podText('setHostnameAsFQDN: true'))
  expect([alone.hostname, alone.domain, alone.setHostnameAsFQDN]).toEqual(['web', undefined, undefined])
})
