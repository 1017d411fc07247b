/** The units by which systemd reconciles a GitOps source, and the drop-ins that make them this source's. Pure. */

/** In the order of importance: what is called, and what calls it. */
export const GITOPS_TEMPLATES = ['tspod-gitops@.service', 'tspod-gitops@.timer', 'tspod-gitops@.path'] as const

/** `resume`: of the timer that waits for the end of a suspension, without its ending. */
export type GitopsUnits = { service: string; timer: string; path: string; resume: string }

/** The units of a source; its name has only letters, digits and dashes. */
export const gitopsUnits = (name: string): GitopsUnits => ({
  service: `tspod-gitops@${name}.service`,
  timer: `tspod-gitops@${name}.timer`,
  path: `tspod-gitops@${name}.path`,
  resume: `tspod-gitops-resume-${name}`,
})

const MARK = '# Written by `tspod gitops add`\n'

/** `jitter`: many hosts that ask the same server do not ask at the same moment. */
export function timerDropIn(intervalMs: number, jitter: boolean): string {
  const seconds = Math.round(intervalMs / 1000)
  // An empty value takes back every time that the template has, whatever it is called.
  const lines = ['[Timer]', 'OnUnitInactiveSec=', 'OnActiveSec=1s', `OnUnitInactiveSec=${seconds}s`]
  if (jitter) lines.push(`RandomizedDelaySec=${Math.ceil(seconds / 10)}s`)
  return `${MARK}${lines.join('\n')}\n`
}

/** A path that a unit file cannot hold is left out: the timer will see what changes there. */
export function pathDropIn(paths: readonly string[]): string {
  const lines = paths
    .filter(path => path.startsWith('/') && !/[\p{Cc}]|\\$|\s$/u.test(path))
    .map(path => `PathChanged=${path.replaceAll('%', '%%')}`)
  return `${MARK}${['[Path]', ...lines].join('\n')}\n`
}
