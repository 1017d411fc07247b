import { describe, expect, test } from '@jest/globals'
import { capabilitySets, chooseCapabilities } from '../../../../src/oci/spec/capabilities.ts'
import { hostFacts, securityOf } from '../../../support/spec-input.ts'

const DEFAULT = 'CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'
const short = (names: string[]): string => names.map(name => name.slice('CAP_'.length)).join(' ')
const choose = (add: string[], drop: string[], changes = {}): string =>
  short(chooseCapabilities(securityOf({ capabilities: { add, drop }, ...changes }), hostFacts(), []))

describe('which capabilities a container gets', () => {
  const cases: Record<string, { add?: string[]; drop?: string[]; want: string }> = {
    "nothing said: Podman's eleven": { want: DEFAULT },
    'add one': { add: ['NET_ADMIN'], want: DEFAULT.replace('KILL', 'KILL NET_ADMIN') },
    'a prefix and small letters mean the same': {
      add: ['cap_net_admin'],
      want: DEFAULT.replace('KILL', 'KILL NET_ADMIN'),
    },
    'drop one': { drop: ['KILL'], want: DEFAULT.replace('KILL ', '') },
    'drop one that is not there': { drop: ['SYS_TIME'], want: DEFAULT },
    'drop ALL': { drop: ['ALL'], want: '' },
    'drop ALL, add one': { add: ['NET_BIND_SERVICE'], drop: ['all'], want: 'NET_BIND_SERVICE' },
    'add ALL, drop one': {
      add: ['ALL'],
      drop: ['SYS_TIME'],
      want: short(hostFacts().capabilities).replace(' SYS_TIME', ''),
    },
    'dropped wins over added': { add: ['NET_ADMIN'], drop: ['NET_ADMIN'], want: DEFAULT },
  }
  for (const [name, { add = [], drop = [], want }] of Object.entries(cases)) {
    test(name, () => expect(choose(add, drop)).toBe(want))
  }

  test('privileged: everything tspod has, whatever is dropped', () => {
    expect(choose([], ['ALL'], { privileged: true })).toBe(short(hostFacts().capabilities))
  })

  test('one the manifest asks for and tspod lacks is refused', () => {
    expect(() => choose(['SYS_RESOURCE'], [])).toThrow(expect.objectContaining({ code: 'HOST_LACKS' }))
  })

  test('a default one that tspod lacks is left out with a notice', () => {
    const notices: string[] = []
    const host = hostFacts({ capabilities: hostFacts().capabilities.filter(name => name !== 'CAP_SETFCAP') })
    expect(short(chooseCapabilities(securityOf(), host, notices))).toBe(DEFAULT.replace('SETFCAP ', ''))
    expect(notices).toEqual([expect.stringContaining('CAP_SETFCAP')])
  })

  test('inheritable and ambient sets are always empty', () => {
    const names = ['CAP_KILL']
    expect(capabilitySets(names)).toEqual({
      bounding: names,
      effective: names,
      permitted: names,
      inheritable: [],
      ambient: [],
    })
  })
})
