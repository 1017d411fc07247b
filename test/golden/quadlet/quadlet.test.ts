/** Quadlet files, and all that comes of them: manifests, options, drop-in, and what is said about the rest. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { readKubeOptions } from '../../../src/systemd/kube-options.ts'
import { importKube } from '../../../src/systemd/quadlet.ts'
import { readUnitFile, unitFileIssueText } from '../../../src/systemd/unit-file.ts'

const HERE = import.meta.dirname

describe('Quadlet files are taken over', () => {
  for (const file of readdirSync(HERE).filter(name => name.endsWith('.kube'))) {
    test(file.replace(/^\d+-|\.kube$/g, '').replaceAll('-', ' '), () => {
      const imported = importKube(readFileSync(join(HERE, file), 'utf8'), `/etc/containers/systemd/${file}`)
      const { name, manifests, options, dropIn, issues } = imported
      const text = [
        `${name}: ${manifests.join(', ')}\n`,
        `--- options\n${options}`,
        `--- drop-in\n${dropIn}`,
        `--- not kept\n${unitFileIssueText(issues)}\n`,
      ].join('')
      const path = join(HERE, file.replace(/kube$/, 'txt'))
      if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text)
      expect(text).toBe(existsSync(path) ? readFileSync(path, 'utf8') : 'run with UPDATE_GOLDEN=1')
      // What was written is read again without a complaint.
      expect(readKubeOptions(options, 'x.conf', given => given).issues).toEqual([])
      expect(readUnitFile(dropIn, 'x').issues).toEqual([])
    })
  }
})

test('a folder whose name would be a line of the drop-in is not read from', () => {
  const file = '/srv/x\nExecStartPre=evil\n/web.kube'
  const { manifests, options, dropIn, issues } = importKube('[Kube]\nYaml=a.yaml\nSetWorkingDirectory=unit\n', file)
  expect({ manifests, options, dropIn }).toEqual({ manifests: [], options: '', dropIn: '' })
  expect(unitFileIssueText(issues)).toBe('/srv/x?ExecStartPre=evil?/web.kube:1:1 the path holds a control character')
})
