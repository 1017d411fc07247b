/** The work that is compared: generated, so that every contender gets the same text. */

export const IMAGE = 'localhost/tspod-demo:latest'

/** How many pods, regular containers in each, and init containers in each. */
export type Shape = { pods: number; containers: number; inits: number }

/** A container that ends at once on TERM: what is measured is the tool, not a grace period. */
export const MAIN_COMMAND = ['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait']
export const INIT_COMMAND = ['true']

/** One manifest with all pods of `shape`; the pods' names start with `prefix`. */
export function manifest(shape: Shape, prefix: string): string {
  const pod = (number: number): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${prefix}${number}` },
    spec: {
      restartPolicy: 'Never',
      initContainers: numbers(shape.inits).map(n => container(`init${n}`, INIT_COMMAND)),
      containers: numbers(shape.containers).map(n => container(`c${n}`, MAIN_COMMAND)),
    },
  })
  return numbers(shape.pods)
    .map(number => `---\n${JSON.stringify(pod(number), null, 2)}\n`)
    .join('')
}

const container = (name: string, command: string[]): object => ({
  name,
  image: IMAGE,
  imagePullPolicy: 'Never',
  command,
})

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
