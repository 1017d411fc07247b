/** Run inside a cell: makes the images whose inputs come on standard input as JSON, `{ NAME: ImageInput }`. */
import { readFileSync } from 'node:fs'
import { buildImage, type ImageInput } from './image.ts'

const wanted = JSON.parse(readFileSync(0, 'utf8')) as Record<string, ImageInput>
for (const [name, input] of Object.entries(wanted)) buildImage(name, input)
