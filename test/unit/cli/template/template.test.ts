/** `--format` as scripts for Podman use it; what Go prints was taken from Podman 4.3 where it could be asked. */
import { describe, expect, test } from '@jest/globals'
import { formatEach, formatList, type Struct, wantsJson, ZERO_TIME } from '../../../../src/cli/template/index.ts'
import { TspodError } from '../../../../src/errors.ts'

const container: Struct = {
  Id: 'c0ffee000000',
  Name: 'web-nginx',
  Created: new Date(Date.UTC(2026, 0, 2, 11, 54, 59, 120)),
  Args: ['-g', 'daemon off;'],
  State: { Status: 'exited', Running: false, ExitCode: 3, Pid: 0, FinishedAt: ZERO_TIME, Health: null },
  Config: {
    Env: ['PATH=/bin', 'A=b=c'],
    Labels: new Map([
      ['io.x/y', 'z'],
      ['app', 'web'],
    ]),
    Cmd: null,
  },
  Mounts: [
    { Type: 'bind', Source: '/srv/a', Destination: '/a', RW: true },
    { Type: 'volume', Source: '/srv/b', Destination: '/b', RW: false },
  ],
  NetworkSettings: {
    IPAddress: '10.91.0.2',
    Ports: new Map([
      ['53/udp', []],
      ['80/tcp', [{ HostIp: '', HostPort: '8080' }]],
    ]),
    Networks: new Map([['podman', { IPAddress: '10.91.0.2', Aliases: ['web'] }]]),
  },
  RestartCount: 2,
  Cpus: 1.5,
  Label: (key: string) => `label ${key}`,
  Empty: [],
}

const render = (format: string): string => formatEach(format, [container], () => 'container').replace(/\n$/, '')

describe('what a template makes of a container', () => {
  test.each<[format: string, text: string]>([
    // Fields
    ['{{.Id}}', 'c0ffee000000'],
    ['{{.ID}}', 'c0ffee000000'],
    ['{{ .Name }}', 'web-nginx'],
    ['{{.State.Status}}', 'exited'],
    ['{{.State.Running}} {{.State.ExitCode}}', 'false 3'],
    ['{{.State.FinishedAt}}', '0001-01-01 00:00:00 +0000 UTC'],
    ['{{.Created}}', '2026-01-02 11:54:59.12 +0000 UTC'],
    ['{{.Created.Unix}}', '1767354899'],
    ['{{.Args}}', '[-g daemon off;]'],
    ['{{.Empty}}', '[]'],
    ['{{.State.Health}}', '<nil>'],
    ['{{.Config.Labels}}', 'map[app:web io.x/y:z]'],
    ['{{.Config.Labels.app}}', 'web'],
    ['{{.Config.Labels.nope}}', '<no value>'],
    ['{{.Cpus}}', '1.5'],
    ['{{.}}'.replace('.', '.Mounts'), '[{bind /srv/a /a true} {volume /srv/b /b false}]'],
    ['{{$.Name}}', 'web-nginx'],
    ['{{.Label "x"}}', 'label x'],
    ['{{"x" | .Label}}', 'label x'],
    // Text and blanks
    ['a\\tb\\n{{.Name}}', 'a\tb\nweb-nginx'],
    ['  {{- .Name -}}  !', 'web-nginx!'],
    ['{{/* a comment */}}x', 'x'],
    ['x {{- /* a comment */ -}} y', 'xy'],
    ['{{""}}', ''],
    ['100%', '100%'],
    // Literals
    ['{{"a\\tb\\"\\\\"}}', 'a\tb"\\'],
    ['{{`a\\tb`}}', 'a\\tb'],
    ['{{1}} {{-2}} {{1.5}} {{0x10}} {{true}}', '1 -2 1.5 16 true'],
    // index, len, slice
    ['{{index .Args 1}}', 'daemon off;'],
    ['{{index .Config.Labels "io.x/y"}}', 'z'],
    ['{{index .Config.Labels "nope"}}', ''],
    ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', '8080'],
    ['{{(index .NetworkSettings.Ports "80/tcp" 0).HostIP}}', ''],
    ['{{len .Args}} {{len .Name}} {{.Mounts | len}} {{len .NetworkSettings.Ports}}', '2 9 2 2'],
    ['{{slice .Id 0 6}} {{slice .Args 1}}', 'c0ffee [daemon off;]'],
    // range
    ['{{range .Mounts}}{{.Destination}} {{end}}', '/a /b '],
    ['{{range .Mounts}}{{.Source}}:{{.Destination}}{{println}}{{end}}', '/srv/a:/a\n/srv/b:/b\n'],
    ['{{range $i, $m := .Mounts}}{{if $i}},{{end}}{{$m.Destination}}{{end}}', '/a,/b'],
    ['{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}', 'app=web;io.x/y=z;'],
    ['{{range $m := .Mounts}}{{$m.Type}}@{{$.Name}} {{end}}', 'bind@web-nginx volume@web-nginx '],
    ['{{range .Empty}}x{{else}}nothing{{end}}', 'nothing'],
    ['{{range .Config.Cmd}}x{{end}}', ''],
    ['{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', '10.91.0.2'],
    [
      '{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{(index $conf 0).HostPort}}{{end}}'.replace(
        '(index $conf 0).HostPort',
        'len $conf',
      ),
      '53/udp -> 080/tcp -> 1',
    ],
    [
      '{{range $p, $c := .NetworkSettings.Ports}}{{if $c}}{{$p}}->{{(index $c 0).HostPort}}{{end}}{{end}}',
      '80/tcp->8080',
    ],
    ['{{range .Mounts}}{{if eq .Type "volume"}}{{.Source}}{{end}}{{end}}', '/srv/b'],
    ['{{range .Config.Env}}{{if eq (index (split . "=") 0) "PATH"}}{{.}}{{end}}{{end}}', 'PATH=/bin'],
    // if, with, variables
    ['{{if .State.Running}}up{{else}}down{{end}}', 'down'],
    ['{{if .State.Running}}up{{else if eq .State.ExitCode 3}}three{{else}}?{{end}}', 'three'],
    ['{{if and .Name (not .State.Running)}}x{{end}}', 'x'],
    ['{{if .Empty}}x{{end}}', ''],
    ['{{with .State}}{{.Status}} {{.ExitCode}}{{end}}', 'exited 3'],
    ['{{with .State.Health}}{{.Status}}{{else}}none{{end}}', 'none'],
    ['{{if .State.Health}}{{.State.Health.Status}}{{end}}', ''],
    ['{{with $s := .State}}{{$s.Status}} {{$.Name}}{{end}}', 'exited web-nginx'],
    ['{{$n := .Name}}{{$n}} {{$n}}', 'web-nginx web-nginx'],
    ['{{$n := 0}}{{range .Mounts}}{{$n = .Destination}}{{end}}{{$n}}', '/b'],
    ['{{or .State.Health .Name}} {{and .State.Running .Name}}', 'web-nginx false'],
    ['{{or .Name (index .Empty 9)}}', 'web-nginx'],
    // Comparing
    ['{{eq .State.Status "running" "exited"}} {{ne 1 2}}', 'true true'],
    ['{{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}', 'true true true false'],
    // Functions
    ['{{json .Config.Labels}}', '{"app":"web","io.x/y":"z"}'],
    ['{{json .State.FinishedAt}}', '"0001-01-01T00:00:00Z"'],
    [
      '{{json .Mounts}}',
      '[{"Type":"bind","Source":"/srv/a","Destination":"/a","RW":true},{"Type":"volume","Source":"/srv/b","Destination":"/b","RW":false}]',
    ],
    ['{{.Args | json}}', '["-g","daemon off;"]'],
    ['{{json "<&>"}}', '"<&>"'],
    ['{{join .Args " "}}', '-g daemon off;'],
    ['{{split "a,b" ","}}', '[a b]'],
    ['{{upper .Name}} {{.Name | title}} {{lower "ABC"}}', 'WEB-NGINX Web-Nginx abc'],
    ['{{truncate .Id 4}}|{{pad "x" 1 2}}|{{pad "" 1 2}}|', 'c0ff| x  ||'],
    ['{{print "a" 1 2 "b" nil}}', 'a1 2b<nil>'],
    ['{{println "a" 1}}', 'a 1\n'],
    ['{{printf "%s is %s (%d)" .Name .State.Status .State.ExitCode}}', 'web-nginx is exited (3)'],
    ['{{.Name | printf "%-12s|"}}', 'web-nginx   |'],
    [
      '{{printf "%5s|%-5s|%05d|%q|%x|%t|%v" "ab" "cd" 42 "a\\"b" 255 true .Args}}',
      '   ab|cd   |00042|"a\\"b"|ff|true|[-g daemon off;]',
    ],
    ['{{printf "%.3s %.2f %5.1f|%+d %%" .Id 1.0 2.26 3}}', 'c0f 1.00   2.3|+3 %'],
    ['{{printf "%d %s" "x" 1}}', '%!d(string=x) %!s(int=1)'],
    ['{{printf "%s %s" "x"}}', 'x %!s(MISSING)'],
    ['{{printf "%s" "x" 1}}', 'x%!(EXTRA int=1)'],
    ['{{printf "%v %s %05s|% d|%g" 1234567.5 nil "ab" 5 0.00001}}', '1.2345675e+06 %!s(<nil>) 000ab| 5|1e-05'],
    ['{{json "\\u2028"}}', '"\\u2028"'],
    ['{{printf "%q" .Args}}', '["-g" "daemon off;"]'],
    ['{{printf "%s" .Created}}', '2026-01-02 11:54:59.12 +0000 UTC'],
    ['{{printf "%v" .Config.Labels}} {{printf "%X" "hi"}}', 'map[app:web io.x/y:z] 6869'],
  ])('%s', (format, text) => {
    expect(render(format)).toBe(text)
  })
})

describe('what is wrong with a template is told with its place', () => {
  test.each<[format: string, message: string, place: string, remedy: RegExp]>([
    [
      '{{.State.Statuss}}',
      "can't evaluate field Statuss in type container.State",
      '        ^^^^^^^^',
      /did you mean Status\?\nfields: \.Status \.Running/,
    ],
    ['{{.name}}', "can't evaluate field name in type container", '  ^^^^^', /did you mean Name\?/],
    [
      '{{range .Mounts}}{{.Src}}{{end}}',
      "can't evaluate field Src in type container.Mounts",
      '                   ^^^^',
      /\.Type \.Source/,
    ],
    ['{{.Name.First}}', "can't evaluate field First in type string", '       ^^^^^^', /format/],
    ['{{.State.Health.Status}}', 'nil pointer evaluating Status', '               ^^^^^^^', /format/],
    ['{{frob .Id}}', 'function "frob" not defined', '  ^^^^', /begins with a dot: \.frob/],
    ['{{jsom .Id}}', 'function "jsom" not defined', '  ^^^^', /did you mean json\?/],
    ['{{html .Id}}', 'function "html" is not supported', '  ^^^^', /format/],
    ['{{define "x"}}{{end}}', '{{define}} is not supported', '  ^^^^^^', /format/],
    ['{{range .Mounts}}{{break}}{{end}}', '{{break}} is not supported', '                   ^^^^^', /format/],
    ['{{.Id', 'unclosed action', '^^', /}}/],
    ['{{if .Id}}x', 'unexpected EOF: {{if}} has no {{end}}', '  ^^', /add/],
    ['x{{end}}', 'unexpected {{end}}', ' ^^', /format/],
    ['{{if}}x{{end}}', 'missing value for command', '    ^^', /format/],
    ['{{}}', 'missing value for command', '  ^^', /format/],
    ['{{$x}}', 'undefined variable "$x"', '  ^^', /:=/],
    ["{{'a'}}", 'character constants are not supported', '  ^', /use/],
    ['{{"abc}}', 'unterminated quoted string', '  ^', /format/],
    ['{{.Id | 5}}', 'non executable command in pipeline', '        ^', /format/],
    ['{{(.Id}}', 'unclosed left paren', '  ^', /format/],
    ['{{/* x }}', 'unclosed comment', '^^^^', /format/],
    ['{{index .Args 7}}', 'error calling index: index out of range: 7', '  ^^^^^^^^^^^^^', /format/],
    ['{{lt 1 "a"}}', 'error calling lt: incompatible types for comparison', '  ^^^^^^^^', /format/],
    ['{{len 5}}', 'error calling len: len of type int', '  ^^^^^', /format/],
    [
      '{{join .Id ","}}',
      'error calling join: wrong type for value; expected []string; got string',
      '  ^^^^^^^^^^^^',
      /format/,
    ],
    ['{{printf "%U" 5}}', 'error calling printf: %U is not supported; the verbs are %v', '  ^^^^^^^^^^^^^', /format/],
    ['{{nil}}', 'nil is not a command', '  ^^^', /format/],
    [
      '{{printf "%#v" 5}}',
      'error calling printf: %#v is not supported; the verbs are %v',
      '  ^^^^^^^^^^^^^^',
      /format/,
    ],
    ['{{eq .Id}}', 'wrong number of args for eq: want at least 2 got 1', '  ^^^^^^', /format/],
    ['{{.Id "x"}}', 'Id is not a method but has arguments', '  ^^^^^^^', /format/],
    ['{{range .State}}{{end}}', "range can't iterate over {exited", '        ^^^^^^', /list or a map/],
    ['a\n{{.Nope}}', "can't evaluate field Nope in type container", '  ^^^^^', /fields/],
  ])('%s', (format, message, carets, remedy) => {
    let thrown: unknown
    try {
      render(format)
    } catch (error) {
      thrown = error
    }
    if (!(thrown instanceof TspodError)) throw new Error(`no error, or another one: ${thrown}`)
    expect(thrown.code).toBe('USAGE')
    expect(thrown.message).toContain(message)
    expect(thrown.remedy).toMatch(remedy)
    const lines = format.split('\n').length
    expect(thrown.details).toBe(
      `--format:${lines}:${carets.indexOf('^') + 1}\n    ${lines} | ${format.split('\n').at(-1)}\n      | ${carets}`,
    )
  })
})

describe('lists', () => {
  const rows: Struct[] = [
    { ID: 'aaa', Names: 'web-nginx', Up: true },
    { ID: 'bbb', Names: 'db-postgres-with-a-long-name', Up: false },
  ]
  const how = { typeName: 'row', titles: { ID: 'CONTAINER ID', Names: 'NAMES' }, heading: true }
  test.each<[format: string, text: string]>([
    ['{{.ID}}', 'aaa\nbbb\n'],
    ['{{.ID}}\\n', 'aaa\nbbb\n'],
    ['{{.ID}}\\t{{.Names}}', 'aaa\tweb-nginx\nbbb\tdb-postgres-with-a-long-name\n'],
    ['{{if .Up}}{{.ID}}{{end}}', 'aaa\n\n'],
    ['{{range .}}{{.ID}} {{end}}', 'aaa bbb \n'],
    ['{{range $i, $r := .}}{{$i}}{{$r.ID}}{{end}}', '0aaa1bbb\n'],
    [
      'table {{.Names}}\\t{{.ID}}',
      'NAMES                         CONTAINER ID\nweb-nginx                     aaa\ndb-postgres-with-a-long-name  bbb\n',
    ],
    [
      'table {{.ID}} {{.Names}}',
      'CONTAINER ID  NAMES\naaa           web-nginx\nbbb           db-postgres-with-a-long-name\n',
    ],
    ['table {{join (split .ID "") "- "}}', 'C- O- N- T- A- I- N- E- R-  - I- D\na- a- a\nb- b- b\n'],
    ['table {{.Up}}', '<no value>\ntrue\nfalse\n'],
  ])('%s', (format, text) => {
    expect(formatList(format, rows, how)).toBe(text)
  })
  test('a table without its heading', () => {
    expect(formatList('table {{.ID}}', rows, { ...how, heading: false })).toBe('aaa\nbbb\n')
  })
  test('nothing to list is nothing, and a table of it its heading', () => {
    expect(formatList('{{.ID}}', [], how)).toBe('')
    expect(formatList('table {{.ID}}', [], how)).toBe('CONTAINER ID\n')
  })
  test.each<[format: string, isJson: boolean]>([
    ['json', true],
    ['{{json .}}', true],
    ['{{ json . }}', true],
    ['{{json}}', true],
    ['{{json .ID}}', false],
    ['{{.ID}}', false],
  ])('%s is JSON: %s', (format, isJson) => {
    expect(wantsJson(format)).toBe(isJson)
  })
})
