/** Lines of scripts that were written for Podman, run by a real shell against real pods. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  launcher,
  readyCell,
  succeeds,
  takeDownAll,
  WAIT_COMMAND,
} from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

const manifest = `${JSON.stringify({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'keys' },
  stringData: { token: 'hunter2' },
})}
---
${JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'shop', tier: 'front' } },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 3,
    volumes: [{ name: 'scratch', emptyDir: {} }],
    containers: [
      {
        name: 'server',
        image: DEMO_IMAGE,
        command: ['sh', '-c', WAIT_COMMAND],
        ports: [{ containerPort: 80, hostPort: 18_321 }],
        volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
        env: [
          { name: 'MODE', value: 'fast' },
          { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } },
          { name: 'URL', value: 'http://$(TOKEN)@host' },
        ],
      },
      {
        name: 'job',
        image: DEMO_IMAGE,
        command: ['sh', '-c', 'exit 3', '$(TOKEN)'],
        env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } }],
      },
    ],
  },
})}
`

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
  await eventually(
    () => containers(cell),
    all => all.some(({ name, exitCode }) => name === 'web-job' && exitCode === 3),
  )
}, 60_000)
afterAll(async () => {
  await takeDownAll(cell)
  await cell?.remove()
})

/** What a line prints; `podman` in it is tspod. */
async function line(text: string): Promise<string> {
  const { stdout, stderr, exitCode } = await cell.sh(`podman() { ${launcher(cell)} "$@"; }; ${text}`)
  return `${stdout}${stderr}${exitCode === 0 ? '' : `(${exitCode})`}`
}

const ID = '[0-9a-f]{12}'
const LONG = '[0-9a-f]{64}'

describe('lines of scripts', () => {
  test.each<[line: string, prints: RegExp]>([
    [`podman ps -a --filter status=exited --format '{{.Names}}'`, /^web-job\n$/],
    [`podman ps --filter name=web-server --format '{{.State}} {{.Status}}'`, /^running Up .*\n$/],
    [
      `podman ps -a --filter label=app=shop --sort names --format '{{.ID}} {{.Names}}'`,
      RegExp(`^${ID} web-job\n${ID} web-server\n$`),
    ],
    [`podman container ls -aq --no-trunc --filter exited=3`, RegExp(`^${LONG}\n$`)],
    [
      `podman ps --format 'table {{.Names}}\\t{{.Ports}}'`,
      /^NAMES {7}PORTS\nweb-server {2}0\.0\.0\.0:18321->80\/tcp\n$/,
    ],
    [
      `podman ps -a --filter ancestor=${DEMO_IMAGE} --noheading --format 'table {{.PodName}} {{.Restarts}}'`,
      /^web {9}0\nweb {9}0\n$/,
    ],
    [`podman ps -a --filter volume=/scratch --format '{{.Mounts}} {{.Networks}}'`, /^\[\/scratch\] tspod\n$/],
    [
      `podman ps -a --format json | tr -d ' \\n' | grep -o '"Names":\\["web-server"\\]'`,
      /^"Names":\["web-server"\]\n$/,
    ],
    [`podman ps --ns --format '{{.NET}} {{.MNT}}'`, /^\d+ \d+\n$/],
    [`podman ps --filter foo=bar`, /^Error: foo is an invalid filter\n[\s\S]*\(125\)$/],
    [
      `podman pod ps --filter status=degraded --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}'`,
      /^web Degraded 2\n$/,
    ],
    [`podman pod ls --format '{{.ContainerNames}} {{.ContainerStatuses}}'`, /^web-server,web-job running,exited\n$/],
    [`podman inspect -f '{{.State.Status}} {{.State.ExitCode}}' web-job web-server`, /^exited 3\nrunning 0\n$/],
    [
      `kill -0 $(podman inspect --format '{{.State.Pid}}' web-server) && kill -0 $(podman inspect --format '{{.State.ConmonPid}}' web-server) && echo both live`,
      /^both live\n$/,
    ],
    [
      `podman inspect -f '{{.NetworkSettings.IPAddress}} {{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}' web-server`,
      /^10\.\d+\.\d+\.\d+ 10\.\d+\.0\.1\n$/,
    ],
    [`podman inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' web-server`, /^18321\n$/],
    [
      `test -d "$(podman inspect -f '{{range .Mounts}}{{if eq .Destination "/scratch"}}{{.Source}}{{end}}{{end}}' web-server)" && echo there`,
      /^there\n$/,
    ],
    [`podman inspect -f '{{json .Config.Labels}}' web-server`, /^\{"app":"shop","tier":"front"\}\n$/],
    [
      `podman inspect -f '{{range .Config.Env}}{{println .}}{{end}}' web-server | grep -E '^(MODE|TOKEN|URL)='`,
      /^MODE=fast\nTOKEN=\(secret\)\nURL=\(secret\)\n$/,
    ],
    [
      `(podman inspect web web-server web-job; podman ps -a --format json; podman pod ps --format json) | grep -c hunter2`,
      /^0\n\(1\)$/,
    ],
    [
      `podman inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.Config.StopTimeout}} {{len .EffectiveCaps}}' web-server`,
      /^no 3 \d+\n$/,
    ],
    [
      `test -f "$(podman inspect -f '{{.OCIConfigPath}}' web-server)" && podman inspect -f '{{.OCIRuntime}} {{.Pod}}' web-server`,
      RegExp(`^(crun|runc) ${LONG}\n$`),
    ],
    [
      `podman pod inspect web --format '{{.State}} {{.NumContainers}} {{range .Containers}}{{.Name}}={{.State}} {{end}}'`,
      /^Degraded 2 web-server=running web-job=exited \n$/,
    ],
    [`podman inspect --type pod -f '{{.Name}} {{.Labels.tier}}' web`, /^web front\n$/],
    [
      `podman inspect -f '{{.State.Statos}}' web-server`,
      /^--format:1:9\n {4}1 \| \{\{\.State\.Statos\}\}\n {6}\| {9}\^{7}\nError: .*can't evaluate field Statos in type .*\n {2}did you mean Status\?\n[\s\S]*\(125\)$/,
    ],
    [`podman inspect nope`, /^\[\]\nError: no such object: "nope"\n[\s\S]*\(125\)$/],
    [`podman container inspect web`, /^\[\]\nError: no such container web\n[\s\S]*\(125\)$/],
    [`podman pod inspect web-server`, /^\[\]\nError: no such pod web-server\n[\s\S]*\(125\)$/],
    [`podman container exists web-server && echo yes`, /^yes\n$/],
    [`podman container exists web`, /^\(1\)$/],
    [`podman pod exists web && echo yes`, /^yes\n$/],
    [`podman pod exists web-server`, /^\(1\)$/],
    [`podman image exists ${DEMO_IMAGE} && echo yes`, /^yes\n$/],
    [`podman image exists localhost/nope`, /^\(1\)$/],
    [`podman inspect -f '{{.Args}}' web-job`, /^\[-c exit 3 \$\(TOKEN\)\]\n$/],
    [`podman inspect -l -f '{{.Name}}'`, /^web-job\n$/],
  ])('%s', async (text, prints) => {
    expect(await line(text)).toMatch(prints)
  })
})
