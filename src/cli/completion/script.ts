/** `tspod completion`: a script that has a shell complete command lines. */
import { defineVerb, usageError } from '../verb.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

export const completion = defineVerb({
  operands: 'bash|zsh|fish',
  count: { minimum: 1, maximum: 1 },
  description:
    'Prints a script that has the shell complete commands, flags and the names of what there is. `make install` puts ' +
    'it where shells look for it; this is for a checkout, and for one user.',
  examples: [
    {
      does: 'For all later shells, bash',
      line: 'tspod completion bash >~/.local/share/bash-completion/completions/tspod',
    },
    { does: 'The same, fish', line: 'tspod completion fish >~/.config/fish/completions/tspod.fish' },
    { does: 'The same, zsh, with that folder in $fpath', line: 'tspod completion zsh >~/.zsh/completions/_tspod' },
  ],
  flags: {},
  anyUser: true,
  check: ({ operands: [shell = ''] }) =>
    SHELLS.some(known => known === shell)
      ? []
      : [{ message: `there is no completion for "${shell}"`, remedy: `choose one of ${SHELLS.join(', ')}` }],
  async run({ operands: [shell = ''] }, world) {
    const known = SHELLS.find(one => one === shell)
    if (known === undefined) throw usageError([{ message: `no shell ${shell}` }], 'tspod completion')
    return { stdout: await world.template(`tspod.${known}`) }
  },
})
