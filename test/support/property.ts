/**
 * fast-check with one seed for a whole file, which stands in the names of its tests: `TSPOD_TEST_SEED` repeats them,
 * `TSPOD_TEST_RUNS` makes more of them.
 */
import fc from 'fast-check'

export const seed = Number(process.env.TSPOD_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
fc.configureGlobal({ seed, numRuns: Number(process.env.TSPOD_TEST_RUNS ?? 500) })

export { fc }
