export { readSnapshot } from './snapshot.ts'
export { collectSnapshots, type Garbage } from './store.ts'
export type { Credentials, GitRef, Snapshot, SourceDoors, SourceFrom, SourceWish, WatchedPath } from './types.ts'
export { type WatchFacts, watchedPaths } from './watch.ts'
