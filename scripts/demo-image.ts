/** Puts localhost/tspod-demo:latest, the image of the examples, into containers-storage. */
import { buildImage } from '../test/support/image.ts'

const NAME = 'localhost/tspod-demo:latest'

console.log(`${NAME} ${buildImage(NAME)}`)
