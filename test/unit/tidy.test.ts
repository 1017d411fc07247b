/**
 * The house rules as tests: where things live, who may import whom, how large they grow. A rule is read off the
 * text, line by line, which is enough because biome formats every file the same way.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const ROOT = join(import.meta.dirname, '..', '..')
const SRC = join(ROOT, 'src')

type Source = { path: string; lines: string[] }
type Import = { target: string; isDynamic: boolean }

const filesBelow = (folder: string, ending: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(ending))
    .sort()

const isGenerated = (path: string): boolean => path.endsWith('.generated.ts')

const sources: readonly Source[] = filesBelow(SRC, '.ts').map(path => ({
  path,
  lines: readFileSync(join(SRC, path), 'utf8').trimEnd().split('\n'),
}))
const written = sources.filter(({ path }) => !isGenerated(path))

/** `path:line` of every line of code (comments left out) that the pattern matches. */
const placesOf = (pattern: RegExp, files: readonly Source[]): string[] =>
  files.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) => (pattern.test(code(line)) ? [`${path}:${index + 1}`] : [])),
  )

/** The line without a comment that ends it or fills it; quotes are rare enough around `//` to be ignored. */
const code = (line: string): string => (/^\s*(\/?\*|\/\/)/.test(line) ? '' : line.replace(/\s\/\/ .*$/, ''))

/** Everything a file imports, with relative names resolved to paths below src. */
function importsOf({ path, lines }: Source): Import[] {
  const found = lines.join('\n').matchAll(/(?:\bfrom|^import|(?<dynamic>\bimport\())\s*'(?<target>[^']+)'/gm)
  return [...found].map(({ groups }) => {
    const { target = '', dynamic } = groups ?? {}
    const isRelative = target.startsWith('.')
    return { target: isRelative ? normalize(join(dirname(path), target)) : target, isDynamic: dynamic !== undefined }
  })
}

const isPackageOf = (target: string, name: string): boolean => target === name || target.startsWith(`${name}/`)

describe('imports', () => {
  /** Folders and the folders they may enter. A leaf is a file directly in src. */
  const MAY_ENTER: Record<string, readonly string[]> = {
    cli: ['engine', 'kube', 'oci', 'source', 'systemd'],
    engine: ['kube', 'oci', 'source', 'systemd'],
    kube: [],
    oci: [],
    source: [],
    systemd: [],
  }

  const folderOf = (path: string): string | undefined => (path.includes('/') ? path.split('/')[0] : undefined)
  const internal = sources.flatMap(source =>
    importsOf(source)
      .filter(({ target }) => target.endsWith('.ts'))
      .map(({ target }) => ({ from: source.path, to: target })),
  )

  test('are seen by these rules', () => {
    expect(internal.length).toBeGreaterThan(200)
    expect(internal).toContainEqual({ from: 'main.ts', to: 'engine/index.ts' })
  })

  test('go down only: main, cli, engine, then kube, oci, source and systemd, then the leaves', () => {
    const strays = internal.filter(({ from, to }) => {
      const [fromFolder, toFolder] = [folderOf(from), folderOf(to)]
      if (from === 'tspod.ts') return !['main.ts', 'version.ts', 'bytecode.ts'].includes(to)
      // The other program: what stays of tspod while something is probed.
      if (from === 'prober.ts')
        return !['clock.ts', 'paths.ts', 'process.ts', 'engine/probe/prober/index.ts'].includes(to)
      if (from === 'main.ts' || toFolder === undefined || toFolder === fromFolder) return to === 'main.ts'
      return fromFolder === undefined || !MAY_ENTER[fromFolder]?.includes(toFolder)
    })
    expect(strays).toEqual([])
  })

  test('enter a folder by its index.ts', () => {
    const isEntrance = (from: string, to: string): boolean => {
      const folder = dirname(to)
      const isInside = folder === '.' || from.startsWith(`${folder}/`)
      return isInside || to === `${folder}/index.ts`
    }
    expect(internal.filter(({ from, to }) => !isEntrance(from, to))).toEqual([])
  })

  test('kube imports nothing of Node', () => {
    const strays = sources
      .filter(({ path }) => path.startsWith('kube/'))
      .filter(source => importsOf(source).some(({ target }) => target.startsWith('node:')))
    expect(strays.map(({ path }) => path)).toEqual([])
  })

  test.each<[name: string, homes: readonly string[]]>([
    ['node:child_process', []],
    ['spawn.ts', ['process.ts']],
    ['execa', ['process.ts']],
    ['sqlite3', ['engine/state/store.ts']],
    ['dbus-next', ['systemd/bus.ts']],
    ['sd-notify', ['systemd/notify.ts']],
    ['smol-toml', ['oci/storage.ts', 'oci/runtime/config.ts']],
    ['winston', ['log.ts']],
    ['yaml', ['kube/yaml/read.ts', 'kube/yaml/syntax.ts', 'kube/write/yaml.ts']],
    ['@kubernetes/client-node', []],
    ['node:timers', []],
    ['node:timers/promises', []],
  ])('%s has one home', (name, homes) => {
    const importers = sources.filter(source => importsOf(source).some(({ target }) => isPackageOf(target, name)))
    expect(importers.map(({ path }) => path).filter(path => !homes.includes(path))).toEqual([])
  })

  test.each(['execa', 'dbus-next', 'smol-toml', 'winston', 'sd-notify'])('%s is loaded where first needed', name => {
    const early = sources.filter(source => {
      const types = source.lines.filter(line => /^import type .*'/.test(line)).join('\n')
      return importsOf(source).some(({ target, isDynamic }) => target === name && !isDynamic && !types.includes(target))
    })
    expect(early.map(({ path }) => path)).toEqual([])
  })
})

describe('single homes', () => {
  test.each<[pattern: RegExp, homes: readonly string[]]>([
    // process.ts: the deadline of a command ends with the command, whatever clock the caller has.
    // spawn.ts: a child is looked at again, whatever clock the caller has.
    [/\b(setTimeout|setInterval)\(/, ['clock.ts', 'process.ts', 'spawn.ts']],
    [/\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bMath\.random\(/, ['clock.ts']],
    [/\bprocess\.(exit|exitCode|argv)\b/, ['main.ts', 'prober.ts', 'tspod.ts']],
    [/(?<!\.)\bprocess\.env\b/, ['main.ts']],
    [/\bcreateRequire\b/, ['bytecode.ts', 'digest.ts', 'namespaces.ts', 'packet.ts', 'spawn.ts', 'syscalls.ts']],
    [/\bconsole\./, []],
    [/\b(shell: true|sh', '-c')/, []],
  ])('%s', (pattern, homes) => {
    expect(placesOf(pattern, sources).filter(place => !homes.includes(place.split(':')[0]!))).toEqual([])
  })
})

describe('text', () => {
  test('no `any`, no unchecked comment directives', () => {
    expect(placesOf(/(:|\bas|<|\|) any\b|<any[>,]|\bany\[\]/, sources)).toEqual([])
    const directives = sources.filter(({ lines }) => lines.some(line => /@ts-(ignore|nocheck|expect-error)/.test(line)))
    expect(directives.map(({ path }) => path)).toEqual([])
  })

  test('no TODO, FIXME or XXX without the number of an issue', () => {
    const strays = sources.flatMap(({ path, lines }) =>
      lines.flatMap((line, index) => (/\b(TODO|FIXME|XXX)\b(?! ?\(?#\d+)/.test(line) ? [`${path}:${index + 1}`] : [])),
    )
    expect(strays).toEqual([])
  })

  test('every exported function says what it does', () => {
    const undocumented = written.flatMap(({ path, lines }) =>
      lines.flatMap((line, index) => {
        const name = /^export (?:async )?function\*? (\w+)/.exec(line)?.[1]
        // The signatures of an overload stand together below one comment.
        const before = lines.slice(0, index).findLast(above => !above.startsWith('export function ')) ?? ''
        return name !== undefined && !before.endsWith('*/') ? [`${path}:${index + 1} ${name}`] : []
      }),
    )
    expect(undocumented).toEqual([])
  })
})

describe('size', () => {
  const HARD_FILE_LINES = 400
  const HARD_FUNCTION_LINES = 80

  test(`no file is longer than ${HARD_FILE_LINES} lines`, () => {
    const long = written.filter(({ lines }) => lines.length > HARD_FILE_LINES)
    expect(long.map(({ path, lines }) => `${path}: ${lines.length}`)).toEqual([])
  })

  test(`no function is longer than ${HARD_FUNCTION_LINES} lines`, () => {
    const long = written.flatMap(source =>
      topLevelFunctions(source)
        .filter(({ lines }) => lines > HARD_FUNCTION_LINES)
        .map(({ name, lines }) => `${source.path} ${name}: ${lines}`),
    )
    expect(long).toEqual([])
  })

  /** Functions that begin at the left margin, with their length: biome puts the closing bracket there as well. */
  function topLevelFunctions({ lines }: Source): { name: string; lines: number }[] {
    return lines.flatMap((line, index) => {
      const name = /^(?:export )?(?:async )?(?:function\*? (\w+)|const (\w+).*=>.*[{(]$)/.exec(line)
      if (name === null) return []
      const length =
        lines
          .slice(index)
          .findIndex((below, offset) => offset > 0 && /^[)}\]]/.test(below) && !/^\).*\{$/.test(below)) + 1
      return [{ name: name[1] ?? name[2] ?? '', lines: length }]
    })
  }
})

describe('everything is used', () => {
  test('every error code is thrown somewhere', () => {
    const table = readFileSync(join(SRC, 'errors.ts'), 'utf8')
    const codes = [...table.matchAll(/^ {2}([A-Z_]+): EXIT_/gm)].map(match => match[1]!)
    const all = sources
      .filter(({ path }) => path !== 'errors.ts')
      .flatMap(({ lines }) => lines)
      .join('\n')
    expect(codes.length).toBeGreaterThan(20)
    expect(codes.filter(name => !all.includes(`'${name}'`))).toEqual([])
  })

  test('every example is run by a test', () => {
    const tests = ['integration', 'system'].flatMap(kind => {
      const folder = join(ROOT, 'test', kind)
      return filesBelow(folder, '.ts').map(name => readFileSync(join(folder, name), 'utf8'))
    })
    // Either by name, or by a test that walks the whole folder.
    const walksAll = tests.some(text => /readdir\w*\([^)]*examples/i.test(text))
    const examples = filesBelow(join(ROOT, 'examples', 'manifests'), '.yaml')
    expect(examples.length).toBeGreaterThanOrEqual(6)
    expect(
      examples.filter(name => !walksAll && !tests.some(text => text.includes(name.replace(/\.yaml$/, '')))),
    ).toEqual([])
  })

  test('every example has its own number', () => {
    const names = filesBelow(join(ROOT, 'examples', 'manifests'), '.yaml')
    const numbers = names.map(name => /^(\d\d)-[a-z0-9-]+\.yaml$/.exec(name)?.[1])
    expect(numbers).not.toContain(undefined)
    expect(new Set(numbers).size).toBe(names.length)
  })

  test('every hole of a template is filled by scripts/install.sh', () => {
    const installer = readFileSync(join(ROOT, 'scripts', 'install.sh'), 'utf8')
    const folder = join(ROOT, 'templates')
    const files = filesBelow(folder, '').filter(name => !statSync(join(folder, name)).isDirectory())
    const holes = files.flatMap(name => readFileSync(join(folder, name), 'utf8').match(/@[A-Z_]+@/g) ?? [])
    expect(holes.filter(hole => !installer.includes(hole))).toEqual([])
  })
})

describe('package.json', () => {
  const read = (name: string) => JSON.parse(readFileSync(join(ROOT, name), 'utf8'))

  // scripts/setup.sh installs what the lock says and looks at nothing else.
  test('asks for what package-lock.json holds', () => {
    const wanted = read('package.json')
    const { dependencies, devDependencies, optionalDependencies } = read('package-lock.json').packages['']
    expect({ dependencies, devDependencies, optionalDependencies }).toEqual({
      dependencies: wanted.dependencies,
      devDependencies: wanted.devDependencies,
      optionalDependencies: wanted.optionalDependencies,
    })
  })

  test('pins every version', () => {
    const { dependencies, devDependencies, optionalDependencies } = read('package.json')
    const versions = Object.entries<string>({ ...dependencies, ...devDependencies, ...optionalDependencies })
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([])
  })

  test('every runtime dependency but the agreed ones has its reason in an ADR', () => {
    const AGREED = ['@kubernetes/client-node', 'dbus-next', 'execa', 'sd-notify', 'sqlite3', 'winston', 'yaml']
    const folder = join(ROOT, 'docs', 'adr')
    const records = filesBelow(folder, '.md')
      .map(name => readFileSync(join(folder, name), 'utf8'))
      .join('\n')
    const more = Object.keys(read('package.json').dependencies).filter(name => !AGREED.includes(name))
    expect(more.filter(name => !records.includes(name))).toEqual([])
  })
})

describe('docs', () => {
  test('links between files of the repository lead somewhere', () => {
    const pages = [
      'README.md',
      'CONTRIBUTING.md',
      ...filesBelow(join(ROOT, 'docs'), '.md').map(name => join('docs', name)),
    ]
    const dead = pages.flatMap(page => {
      const links = readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)
      const targets = [...links].map(link => relative(ROOT, join(ROOT, dirname(page), link[1]!)))
      return targets.filter(target => !existsBelowRoot(target)).map(target => `${page}: ${target}`)
    })
    expect(dead).toEqual([])
  })

  function existsBelowRoot(path: string): boolean {
    return readdirSync(join(ROOT, dirname(path))).includes(path.split('/').findLast(part => part !== '')!)
  }

  test('decisions are numbered without gaps', () => {
    const numbers = filesBelow(join(ROOT, 'docs', 'adr'), '.md').map(name =>
      Number(/^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1]),
    )
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
  })
})
