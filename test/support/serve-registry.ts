/**
 * Run inside a cell: starts the registry of registry.ts below DIRECTORY with one image in it, prints what a client needs
 * to know as JSON, and leaves it running until the cell goes.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeImageLayout } from './image.ts'
import { startRegistry } from './registry.ts'

const [directory = ''] = process.argv.slice(2)
const { host, user, password, certDir, push } = await startRegistry(directory)
const layout = join(directory, 'layout')
mkdirSync(layout)
writeImageLayout(layout, { config: { Cmd: ['sleep', '100000'] } })
push(layout, 'team/app:1')
console.log(JSON.stringify({ host, user, password, certDir }))
process.exit(0)
