/** The journal of what happened to pods and containers. */
export { readEvents } from './feed.ts'
export { eventAbout, eventOf, insertEvents, type NewEvent, noteEvent, tell, tellOf } from './note.ts'
