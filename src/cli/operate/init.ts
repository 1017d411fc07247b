/** `tspod init`: a container is made by the runtime and waits for its start. */
import { defineVerb } from '../verb.ts'
import { actOnContainers, isRegular, TARGET_FLAGS, targetProblems } from './targets.ts'

export const init = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Makes everything a container needs, its namespaces, mounts and cgroup, and has the runtime create it without ' +
    'starting its program: for a look inside, or for a start that takes no time.',
  examples: [{ does: 'Make it now, start it later', line: 'tspod init web-nginx; tspod start web-nginx' }],
  flags: TARGET_FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands),
  // As in Podman --all means those for which it can be done.
  run: (input, world) =>
    actOnContainers(
      input,
      world,
      { do: 'init' },
      view => isRegular(view) && ['configured', 'exited', 'stopped'].includes(view.state),
    ),
})
