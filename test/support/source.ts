/** Sources of a test: an area of its own with a repository in it, and what reading it gives or fails with. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { TspodError } from '../../src/errors.ts'
import { run } from '../../src/process.ts'
import {
  readSnapshot,
  type Snapshot,
  type SourceDoors,
  type SourceFrom,
  type SourceWish,
} from '../../src/source/index.ts'

export class SourceArea {
  readonly path: string
  /** The argv of every program that was run. */
  readonly ran: string[][] = []
  env: SourceDoors['env'] = {}
  searchPath: string | undefined

  constructor() {
    this.path = fs.mkdtempSync('/tmp/tspod-git-')
    // Repositories of other users are read as those users: they have to get there.
    fs.chmodSync(this.path, 0o755)
  }

  at(path: string): string {
    return join(this.path, path)
  }

  get doors(): SourceDoors {
    return {
      run: async (command, signal) => {
        this.ran.push([...command.argv])
        return run(command, signal)
      },
      ...{ clock: systemClock, directory: this.at('state'), env: this.env },
      ...(this.searchPath !== undefined && { searchPath: this.searchPath }),
    }
  }

  get checkout(): SourceFrom {
    return { kind: 'checkout', dir: this.at('app') }
  }

  read(wish: Partial<SourceWish> = {}): Promise<Snapshot> {
    return readSnapshot({ name: 'shop', from: this.checkout, ...wish }, this.doors)
  }

  /** The error that reading ends with. */
  async failure(wish: Partial<SourceWish> = {}): Promise<TspodError> {
    const error = await this.read(wish).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof TspodError)) throw error ?? new Error('it was read')
    return error
  }

  remove(): void {
    fs.rmSync(this.path, { recursive: true, force: true })
  }
}
