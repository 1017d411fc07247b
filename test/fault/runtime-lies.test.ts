/** F10 to F13 of the fault matrix: a runtime that dies, hangs, or claims what is not so. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../support/leaks.ts'
import { installLiar, type Liar, type Mode, type Verb } from '../support/liar.ts'
import type { Place } from '../support/place.ts'
import { containers, podText, readyCell, succeeds, takeDownAll, tspod, warmUp } from '../support/tspod.ts'

const TIMEOUT_SECONDS = 2
const play = (cell: Place, text: string) => tspod(cell, ['--runtime', 'liar', 'kube', 'play', '-'], { input: text })
const states = async (cell: Place): Promise<string[]> => (await containers(cell)).map(({ state }) => state)

for (const [real, view] of [
  ['runc', 'host'],
  ['crun', 'v1'],
] as const) {
  describe(`in front of ${real}`, () => {
    let cell: Place
    let liar: Liar
    beforeAll(async () => {
      cell = await readyCell({ view })
      liar = await installLiar(cell, real, TIMEOUT_SECONDS)
      await warmUp(cell, 'liar')
    }, 60_000)
    afterEach(async () => {
      await liar.lies({})
      await takeDownAll(cell)
    })
    afterAll(() => cell?.remove())

    const text = podText('lied-to', { restartPolicy: 'Never' })

    const cannotRun: Partial<Record<Verb, Partial<Record<Mode, RegExp>>>> = {
      create: {
        fail: /container lied-to-c1: the runtime was told to fail/,
        die: /container lied-to-c1: .* did not create it and did not say why/,
        hang: /did not create container lied-to-c1 within 2 s and was killed/,
        garbage: /container lied-to-c1: .* did not create it and did not say why/,
        nothing: /container lied-to-c1: .* did not create it and did not say why/,
      },
      start: {
        fail: /container lied-to-c1: the runtime was told to fail/,
        die: /container lied-to-c1: the runtime was killed by signal 9/,
        hang: /did not start container lied-to-c1 within 2 s and was killed/,
        garbage: /container lied-to-c1: .* reported success but did not start it/,
        nothing: /container lied-to-c1: .* reported success but did not start it/,
      },
    }
    /** Which row of the matrix it is. */
    const rowOf = (verb: string, mode: string): string => {
      if (mode.startsWith('hang')) return 'F12'
      if (mode.startsWith('die')) return verb === 'create' ? 'F10' : 'F11'
      return 'F13'
    }
    for (const [verb, modes] of Object.entries(cannotRun)) {
      for (const [mode, says] of Object.entries(modes)) {
        test(`${rowOf(verb, mode)} ${verb}: ${mode}; a named error in one sentence, nothing is left, and the next play works`, () =>
          withLeakCheck(cell, async () => {
            await liar.lies({ [verb]: mode })
            const failed = await play(cell, text)
            expect(failed.exitCode).not.toBe(0)
            expect(failed.stderr).toMatch(says)
            expect(failed.stderr.split('\n').filter(line => says.test(line))).toHaveLength(1)
            await liar.lies({})
            await succeeds(cell, ['--runtime', 'liar', 'kube', 'play', '--replace', '-'], { input: text })
            expect(await states(cell)).toEqual(['running'])
            await succeeds(cell, ['kube', 'down', '-'], { input: text })
          }))

        test(`${rowOf(verb, mode)} ${verb}: ${mode}; down alone leaves nothing`, () =>
          withLeakCheck(cell, async () => {
            await liar.lies({ [verb]: mode })
            expect((await play(cell, text)).exitCode).not.toBe(0)
            await succeeds(cell, ['kube', 'down', '-'], { input: text })
          }))
      }
    }

    for (const mode of ['die-after', 'hang-after'] as const) {
      test(`${rowOf('start', mode)} start: ${mode} it did start; it runs, whatever the runtime says`, () =>
        withLeakCheck(cell, async () => {
          await liar.lies({ start: mode })
          expect(await play(cell, text)).toMatchObject({ exitCode: 0 })
          expect(await states(cell)).toEqual(['running'])
          await succeeds(cell, ['kube', 'down', '-'], { input: text })
        }))

      test(`${rowOf('create', mode)} create: ${mode} it did create; nothing is left, and the next play works`, () =>
        withLeakCheck(cell, async () => {
          await liar.lies({ create: mode })
          await play(cell, text)
          await liar.lies({})
          await succeeds(cell, ['--runtime', 'liar', 'kube', 'play', '--replace', '-'], { input: text })
          expect(await states(cell)).toEqual(['running'])
          await succeeds(cell, ['kube', 'down', '-'], { input: text })
        }))
    }

    for (const mode of ['fail', 'die', 'hang', 'garbage', 'nothing'] as const) {
      test(`${rowOf('delete', mode)} delete: ${mode}; down works without it`, () =>
        withLeakCheck(cell, async () => {
          expect(await play(cell, text)).toMatchObject({ exitCode: 0 })
          await liar.lies({ delete: mode })
          await succeeds(cell, ['kube', 'down', '-'], { input: text })
        }))
    }

    test('F13 kill and state lie: down ends the container all the same, and ps tells the truth', () =>
      withLeakCheck(cell, async () => {
        await liar.lies({ kill: 'nothing', state: 'garbage' })
        expect(await play(cell, text)).toMatchObject({ exitCode: 0 })
        expect(await states(cell)).toEqual(['running'])
        await succeeds(cell, ['kube', 'down', '-'], { input: text })
      }))

    test('F13 the runtime is gone: down works without it', () =>
      withLeakCheck(cell, async () => {
        expect(await play(cell, text)).toMatchObject({ exitCode: 0 })
        await cell.sh('mv /run/liar/runtime /run/liar/away')
        try {
          await succeeds(cell, ['kube', 'down', '-'], { input: text })
        } finally {
          await cell.sh('mv /run/liar/away /run/liar/runtime')
        }
      }))
  })
}
