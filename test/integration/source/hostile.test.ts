/** S42 repositories that somebody has made to have tspod do something else than read them. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { SourceWish } from '../../../src/source/index.ts'
import { Repository } from '../../support/repository.ts'
import { SourceArea } from '../../support/source.ts'

/** Somebody without rights, whose repository root reads. */
const SOMEBODY = 1234

let area: SourceArea
let app: Repository
beforeEach(() => {
  area = new SourceArea()
  app = new Repository(area.at('app'))
  app.commit({ 'a.yaml': 'one\n' })
})
afterEach(() => area.remove())

const canary = (): string => area.at('canary/touched')
const config = (text: string): void => fs.appendFileSync(area.at('app/.git/config'), text)
const give = (path: string, uid = SOMEBODY): void =>
  void execFileSync('chown', ['--recursive', '--no-dereference', `${uid}:${uid}`, area.at(path)])
const ways = (): Record<string, Partial<SourceWish>> => ({
  checkout: {},
  URL: { from: { kind: 'git', url: area.at('app'), ref: {} } },
})

/** A program that leaves a mark, whoever runs it. */
function trap(): string {
  fs.mkdirSync(area.at('canary'), { mode: 0o777 })
  fs.chmodSync(area.at('canary'), 0o777)
  fs.writeFileSync(area.at('trap'), `#!/bin/sh\ntouch ${canary()}\nexec cat\n`, { mode: 0o755 })
  fs.chmodSync(area.at('trap'), 0o755)
  return area.at('trap')
}

describe('S42 what a repository would have run', () => {
  const traps: Record<string, (program: string) => void> = {
    'hooks of every kind': program => {
      for (const hook of fs.readdirSync('/usr/share/git-core/templates/hooks')) {
        fs.copyFileSync(program, area.at(`app/.git/hooks/${hook.replace('.sample', '')}`))
      }
      for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change', 'fsmonitor-watchman']) {
        fs.copyFileSync(program, area.at(`app/.git/hooks/${hook}`))
      }
    },
    'core.hooksPath': program => {
      fs.mkdirSync(area.at('app/evil'))
      fs.copyFileSync(program, area.at('app/evil/reference-transaction'))
      config(`[core]\n\thooksPath = ${area.at('app/evil')}\n`)
    },
    'core.fsmonitor': program => config(`[core]\n\tfsmonitor = ${program}\n`),
    'filters with .gitattributes': program => {
      app.commit({ '.gitattributes': '* filter=evil\n' })
      config(
        `[filter "evil"]\n\tsmudge = ${program}\n\tclean = ${program}\n\tprocess = ${program}\n\trequired = true\n`,
      )
    },
    'diff and text conversion': program => config(`[diff "evil"]\n\ttextconv = ${program}\n\tcommand = ${program}\n`),
    'a program for ssh, a proxy, a pager, an editor, credentials, signatures': program =>
      config(
        `[core]\n\tsshCommand = ${program}\n\tgitProxy = ${program}\n\tpager = ${program}\n\teditor = ${program}\n` +
          `\talternateRefsCommand = ${program}\n\taskPass = ${program}\n[credential]\n\thelper = !${program}\n` +
          `[gpg]\n\tprogram = ${program}\n[gpg "ssh"]\n\tprogram = ${program}\n[uploadpack]\n\tpackObjectsHook = ${program}\n`,
      ),
    aliases: program =>
      config(
        `[alias]\n${['fetch', 'upload-pack', 'ls-tree', 'cat-file'].map(name => `\t${name} = !${program}\n`).join('')}`,
      ),
    'an included file': program => {
      fs.writeFileSync(
        area.at('included'),
        `[core]\n\tfsmonitor = ${program}\n[uploadpack]\n\tpackObjectsHook = ${program}\n`,
      )
      config(`[include]\n\tpath = ${area.at('included')}\n[includeIf "gitdir:/"]\n\tpath = ${area.at('included')}\n`)
    },
    'a remote that promises objects': program => {
      const blob = app.git('rev-parse', 'HEAD:a.yaml')
      fs.rmSync(area.at(`app/.git/objects/${blob.slice(0, 2)}/${blob.slice(2)}`))
      config(
        `[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tpartialClone = evil\n` +
          `[remote "evil"]\n\turl = ext::${program}\n\tpromisor = true\n[protocol]\n\tallow = always\n`,
      )
    },
    'a submodule': program => {
      app.write('.gitmodules', `[submodule "x"]\n\tpath = x\n\turl = ext::${program}\n\tupdate = !${program}\n`)
      app.git('add', '.gitmodules')
      app.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},x`)
      app.git('commit', '--quiet', '--message=submodule')
    },
  }

  test.each(Object.entries(traps))('S42 %s: not run', async (name, set) => {
    set(trap())
    // Nor as whoever it belongs to: git is there for its objects alone.
    for (const [way, owner] of Object.values(ways()).flatMap(each => [SOMEBODY, 0].map(uid => [each, uid] as const))) {
      give('app', owner)
      fs.rmSync(area.at('state'), { recursive: true, force: true })
      const outcome = await area.read(way).then(
        ({ files }) => files[0]?.text,
        (error: { code: string }) => error.code,
      )
      const refused = { 'a remote that promises objects': /SOURCE_(FETCH|VANISHED)/, 'a submodule': /SOURCE_HOSTILE/ }[
        name
      ]
      expect(outcome).toMatch(refused ?? /^one\n$/)
      expect(fs.existsSync(canary())).toBe(false)
    }
  })

  test('S42 the trap works: git itself runs it', () => {
    config(`[core]\n\tfsmonitor = ${trap()}\n`)
    app.git('status')
    expect(fs.existsSync(canary())).toBe(true)
  })

  test('S42 nothing is done with more rights than its owner has', async () => {
    give('app')
    await area.read()
    expect(area.ran[0]?.join(' ')).toContain(
      `setpriv --reuid=${SOMEBODY} --regid=${SOMEBODY} --clear-groups --no-new-privs`,
    )
  })
})

test('a repository whose owner cannot get at it is told so', async () => {
  give('app')
  fs.chmodSync(area.path, 0o700)
  const error = await area.failure()
  expect(error).toMatchObject({ code: 'SOURCE_FETCH', message: expect.stringContaining(`as user ${SOMEBODY}`) })
})

describe('S42 what a repository would have read', () => {
  test('S42 attributes change no byte of a manifest', async () => {
    const attributes = '*.yaml text eol=crlf ident export-subst working-tree-encoding=UTF-16\nb.yaml export-ignore\n'
    const files = { '.gitattributes': attributes, 'b.yaml': '$Id$ $Format:%H$\n', 'c.yaml': '$Id$ $Format:%H$\n' }
    for (const [file, input] of Object.entries(files)) {
      const object = execFileSync('git', ['hash-object', '-w', '--stdin'], {
        cwd: area.at('app'),
        input,
        encoding: 'utf8',
      })
      app.git('update-index', '--add', '--cacheinfo', `100644,${object.trim()},${file}`)
    }
    app.git('commit', '--quiet', '--message=attributes')
    expect((await area.read()).files.slice(1)).toEqual([
      { file: 'b.yaml', text: '$Id$ $Format:%H$\n' },
      { file: 'c.yaml', text: '$Id$ $Format:%H$\n' },
    ])
  })

  test('S42 objects of a repository that only root may read', async () => {
    const secret = new Repository(area.at('secret'))
    secret.commit({ 's.yaml': 'canary\n' })
    const blob = secret.git('rev-parse', 'HEAD:s.yaml')
    fs.chmodSync(area.at('secret'), 0o700)
    fs.writeFileSync(area.at('app/.git/objects/info/alternates'), `${area.at('secret')}/.git/objects\n`)
    app.git('update-index', '--add', '--cacheinfo', `100644,${blob},s.yaml`)
    app.git('commit', '--quiet', '--message=stolen')
    give('app')
    for (const way of Object.values(ways())) {
      const error = await area.failure(way)
      expect(error.code).toMatch(/SOURCE_(FETCH|VANISHED)/)
      expect(JSON.stringify([error.message, error.details])).not.toContain('canary')
    }
  })

  test('S42 replaced objects are not', async () => {
    const [one, commit] = [app.git('rev-parse', 'HEAD:a.yaml'), app.git('rev-parse', 'HEAD')]
    app.write('x', 'replaced\n')
    app.git('replace', one, app.git('hash-object', '-w', 'x'))
    expect(await area.read()).toMatchObject({ revision: commit, files: [{ file: 'a.yaml', text: 'one\n' }] })
  })

  test.each<[string, () => void]>([
    [
      '.git is a link',
      () => {
        fs.renameSync(area.at('app/.git'), area.at('elsewhere'))
        fs.symlinkSync('../elsewhere', area.at('app/.git'))
      },
    ],
    [
      '.git is a file that names another place',
      () => {
        fs.renameSync(area.at('app/.git'), area.at('elsewhere'))
        fs.writeFileSync(area.at('app/.git'), `gitdir: ${area.at('elsewhere')}\n`)
      },
    ],
    [
      'HEAD is a link',
      () => {
        fs.rmSync(area.at('app/.git/HEAD'))
        fs.symlinkSync('/etc/shadow', area.at('app/.git/HEAD'))
      },
    ],
    [
      'the branch is a FIFO',
      () => {
        fs.rmSync(area.at('app/.git/refs/heads/main'))
        execFileSync('mkfifo', [area.at('app/.git/refs/heads/main')])
      },
    ],
    [
      'refs are a link',
      () => {
        fs.renameSync(area.at('app/.git/refs'), area.at('refs'))
        fs.symlinkSync('../../refs', area.at('app/.git/refs'))
      },
    ],
    ['everybody may write .git', () => fs.chmodSync(area.at('app/.git'), 0o777)],
    ['everybody may write its configuration', () => fs.chmodSync(area.at('app/.git/config'), 0o666)],
  ])('S42 %s: refused', async (_, make) => {
    make()
    expect(await area.failure()).toMatchObject({ code: 'SOURCE_HOSTILE' })
  })

  test('S42 a FIFO among the objects or the configuration is not waited for longer than a fetch', async () => {
    execFileSync('mkfifo', [area.at('fifo')])
    config(`[include]\n\tpath = ${area.at('fifo')}\n`)
    const error = await area.failure({ timeoutMs: 1500 })
    expect(error).toMatchObject({ code: 'SOURCE_FETCH' })
  })
})

describe('S42 what a commit holds', () => {
  /** Commits entries as no git add would: a path, a mode, a content. */
  const plant = (...entries: [mode: string, name: string, text: string][]): void => {
    const lines = entries.map(([mode, name, text]) => {
      const object = execFileSync('git', ['hash-object', '-w', '--stdin'], {
        cwd: area.at('app'),
        input: text,
        encoding: 'utf8',
      })
      return `${mode} blob ${object.trim()}\t${name}\0`
    })
    const tree = execFileSync('git', ['mktree', '-z'], {
      cwd: area.at('app'),
      input: lines.join(''),
      encoding: 'utf8',
    }).trim()
    app.git('update-ref', 'refs/heads/main', app.git('commit-tree', '-m', 'planted', tree))
  }

  const planted: Record<string, { make(): void; says: RegExp }> = {
    'a link to a file of the host': {
      make: () => plant(['120000', 'x.yaml', '/etc/shadow']),
      says: /x\.yaml.*leads out/,
    },
    'a relative link out': {
      make: () => plant(['120000', 'x', '../etc']),
      says: /x is a link that leads out/,
    },
    'links in a circle': { make: () => plant(['120000', 'x', 'y'], ['120000', 'y', 'x']), says: /loop/ },
    'a manifest that leads nowhere': { make: () => plant(['120000', 'x.yaml', 'nothing']), says: /nowhere/ },
    'a name with a line in it': {
      make: () => plant(['100644', 'x\nUser=root.yaml', 'x']),
      says: /x\\u\{a\}User=root\.yaml/,
    },
    'a name that turns its writing round': {
      make: () => plant(['100644', 'x\u202elmay.yaml', 'x']),
      says: /x\\u\{202e\}/,
    },
    'a name that leads out': { make: () => plant(['100644', '..', 'x']), says: /git refuses|leads out/ },
    'a repository inside': { make: () => plant(['100644', '.git', 'x']), says: /git refuses|inside/ },
    'more files than anybody needs': {
      make: () => {
        const object = app.git('rev-parse', 'HEAD:a.yaml')
        const lines = Array.from({ length: 20_001 }, (_, index) => `100644 blob ${object}\tf${index}\0`).join('')
        const tree = execFileSync('git', ['mktree', '-z'], {
          cwd: area.at('app'),
          input: lines,
          encoding: 'utf8',
        }).trim()
        app.git('update-ref', 'refs/heads/main', app.git('commit-tree', '-m', 'many', tree))
      },
      says: /more than 20000 files/,
    },
    'a file that is too large': {
      make: () => {
        app.write('x.bin', Buffer.alloc(65 * 1024 * 1024))
        app.commit({})
      },
      says: /x\.bin is larger than 64 MiB/,
    },
  }

  test.each(Object.entries(planted))('S42 %s: refused with its name', async (_, { make, says }) => {
    make()
    const error = await area.failure()
    expect(error).toMatchObject({ code: 'SOURCE_HOSTILE' })
    expect(`${error.message}\n${error.details ?? ''}`).toMatch(says)
    expect(fs.existsSync(join(area.at('state/shop'), 'snapshots'))).toBe(false)
  })

  test('S42 all that is refused is told at once', async () => {
    plant(['120000', 'b', '/etc'], ['120000', 'c', '../../x'], ['100644', 'd.yaml', 'd'])
    expect((await area.failure()).details?.split('\n')).toEqual([
      'b is a link that leads out',
      'c is a link that leads out',
    ])
  })

  test('a submodule and a file of Git LFS are told, and not followed', async () => {
    app.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},lib`)
    app.git('commit', '--quiet', '--message=submodule')
    expect((await area.read()).notes).toEqual(['lib is a submodule, which is not followed'])
    app.write('b.yaml', 'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n')
    app.git('add', 'b.yaml')
    app.git('commit', '--quiet', '--message=lfs')
    expect(await area.failure()).toMatchObject({
      code: 'MANIFEST_UNREADABLE',
      message: expect.stringContaining('Git LFS'),
    })
  })
})
