import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { definedNetworks, loadNetwork } from '../../../src/oci/network-define.ts'
import type { Paths } from '../../../src/paths.ts'

let paths: Paths

beforeAll(() => {
  const root = mkdtempSync(join(tmpdir(), 'tspod-define-'))
  paths = { root, runRoot: root, logRoot: root, config: root }
  mkdirSync(join(root, 'networks'))
  const lab = { network_interface: 'lab0', subnets: [{ subnet: '10.5.0.0/24' }] }
  writeFileSync(join(root, 'networks', 'lab.json'), JSON.stringify(lab))
})

afterAll(() => rmSync(paths.root, { recursive: true, force: true }))

test('networks are the default one and what an administrator wrote down', async () => {
  expect(await definedNetworks(paths)).toEqual(['lab', 'tspod'])
  expect(await loadNetwork(paths, 'lab')).toMatchObject({
    name: 'lab',
    subnets: [{ subnet: '10.5.0.0/24', gateway: '10.5.0.1' }],
  })
  expect(await loadNetwork(paths, 'tspod')).toMatchObject({
    network_interface: expect.stringMatching(/^tspod-[0-9a-f]{8}$/),
    dns_enabled: true,
  })
})

for (const name of ['other', '../lab', 'lab/../lab', '', '.', 'a\nb']) {
  test(`${JSON.stringify(name)} is unknown, and the error lists what there is`, async () => {
    await expect(loadNetwork(paths, name)).rejects.toMatchObject({
      code: 'NETWORK_UNKNOWN',
      remedy: expect.stringContaining('lab, tspod'),
    })
  })
}

test('the default network can be written down too', async () => {
  const file = join(paths.config, 'networks', 'tspod.json')
  writeFileSync(file, JSON.stringify({ network_interface: 'mine0', subnets: [{ subnet: '10.6.0.0/24' }] }))
  expect((await loadNetwork(paths, 'tspod')).network_interface).toBe('mine0')
})
