/** The steps of a copy, one by one, in both languages: a test can do something between any two of them. */
import { chmodSync, mkdirSync, renameSync, symlinkSync } from 'node:fs'
import { vi } from 'vitest'
import { Folder } from '../../src/features/copies/folder.js'
import { TreeReader } from '../../src/features/copies/tree-reader.js'
import { TreeWriter } from '../../src/features/copies/tree-writer.js'
import { type Gateway, Group } from '../../src/index.js'
import { findInterpreter, newestInterpreter } from '../interpreters.js'
import type { Scratch } from './scratch.js'

export const nobody = 65_534
export const noRoot = process.getuid?.() === 0 ? undefined : 'only root can be somebody else'
export const none = Buffer.alloc(0)
export const root = ['folder', none, 0o755, 0]
export const folder = (name: string) => ['folder', Buffer.from(name), 0o755, 0]
export const small = (name: string) => ['small', Buffer.from(name), 0o666, 0, Buffer.from('copied')]
export const leave = ['leave']

/** The steps of a copy, one by one; what writes is here or a worker. `exchange` does as a stranger would, ahead of the next step that enters `name`. */
export interface Steps {
  open?(scratch: Scratch): Promise<void>
  begin(target: string): Promise<void>
  take(item: unknown): Promise<unknown>
  settle(): Promise<unknown>
  discard(): Promise<unknown>
  read(root: string, moved: string, link: string): Promise<string[]>
  exchange(name: string, path: string, instead: string): Promise<void>
  /** Ahead of the nth move: a folder appears at a path, or with none it fails. */
  beforeMove(nth: number, path: string): Promise<void>
  /** After each time that one asks about `name`, it is exchanged for what is called `other`. */
  alternate(name: string, other: string): Promise<void>
  /** From here to the end, as a user whom modes keep out; ahead of each move into the folder at `path`, its mode is set. */
  keepOut(path: string, mode: number): Promise<void>
  renewed(): Promise<string[]>
  end(): Promise<void>
  close?(): Promise<void>
}

export class StepsHere implements Steps {
  #writer = new TreeWriter('/', true)

  async begin(target: string): Promise<void> {
    this.#writer = new TreeWriter(target, true)
  }
  take = (item: unknown) => this.#writer.take(item)
  settle = () => this.#writer.settle()
  discard = () => this.#writer.discard()

  async read(path: string, moved: string, link: string): Promise<string[]> {
    const told: string[] = []
    for await (const item of new TreeReader(path, undefined).items(false)) {
      told.push(String(item))
      if (String(item).startsWith('folder,sub')) exchange(`${path}/sub`, moved, link)
    }
    return told
  }

  async exchange(name: string, path: string, instead: string): Promise<void> {
    const enter = Folder.prototype.enter
    vi.spyOn(Folder.prototype, 'enter').mockImplementation(async function (this: Folder, entered, how) {
      if (String(entered).startsWith(name)) exchange(this.pathOf(entered).toString(), path, instead)
      return enter.call(this, entered, how)
    })
  }

  async beforeMove(nth: number, path: string): Promise<void> {
    const move = Folder.prototype.move
    let count = 0
    vi.spyOn(Folder.prototype, 'move').mockImplementation(async function (this: Folder, ...details) {
      if (++count === nth && path === '') throw new Error('not now')
      if (count === nth) mkdirSync(path, { recursive: true })
      return move.call(this, ...details)
    })
  }

  async alternate(name: string, other: string): Promise<void> {
    const { look, readLink } = Folder.prototype
    const swapped = <T>(folder: Folder, asked: Uint8Array, answer: T): T => {
      if (String(asked) === name) {
        const [path, instead] = [name, other].map((each) => folder.pathOf(Buffer.from(each)).toString()) as [
          string,
          string,
        ]
        exchange(path, `${path}.away`, `${instead}/`)
        renameSync(`${path}.away`, instead)
      }
      return answer
    }
    vi.spyOn(Folder.prototype, 'look').mockImplementation(async function (this: Folder, asked) {
      return swapped(this, asked, await look.call(this, asked))
    })
    vi.spyOn(Folder.prototype, 'readLink').mockImplementation(async function (this: Folder, asked) {
      return swapped(this, asked, await readLink.call(this, asked))
    })
  }

  async keepOut(path: string, mode: number): Promise<void> {
    const move = Folder.prototype.move
    vi.spyOn(Folder.prototype, 'move').mockImplementationOnce(async function (this: Folder, name, folder, itsName) {
      chmodSync(path, mode)
      return move.call(this, name, folder, itsName)
    })
    if (noRoot === undefined) process.seteuid?.(nobody)
  }

  async renewed(): Promise<string[]> {
    return this.#writer.renewed.map(String)
  }

  async end(): Promise<void> {
    if (noRoot === undefined) process.seteuid?.(0)
    vi.restoreAllMocks()
  }
}

/** The same with the functions of a worker. */
export class StepsThere implements Steps {
  #group: Group | undefined
  readonly #command: string

  constructor(command: string) {
    this.#command = command
  }

  async open(scratch: Scratch): Promise<void> {
    this.#group = await Group.open([`popen//python=${this.#command}`])
    await this.#gateway.put(Buffer.from(''), scratch.at('first'))
    await this.#gateway.execute(`
import os
from _tendril.folder import Folder
from _tendril.tree_reader import TreeReader
from _tendril.tree_writer import TreeWriter
enter = Folder.enter
def begin(target):
    global writer
    writer = TreeWriter(target.encode(), True)
def take(item): writer.take(item)
def settle(): writer.settle()
def discard(): writer.discard()
def swap(place, path, instead):
    os.rename(place, path)
    if instead.endswith('/'):
        os.rename(instead.rstrip('/'), place)
    else:
        os.symlink(instead, place)
def read(root, moved, link):
    class Channel(object):
        told = []
        def send(self, item):
            self.told.append(','.join(each.decode() if isinstance(each, (bytes, bytearray)) else str(each) for each in item))
            if self.told[-1].startswith('folder,sub'):
                swap(root + '/sub', moved, link)
    TreeReader(Channel(), root.encode(), False).send_tree(False)
    return Channel.told
def exchange(name, path, instead):
    def entering(self, entered, *how):
        if entered.startswith(name.encode()):
            swap(self.path_of(entered), path, instead)
        return enter(self, entered, *how)
    Folder.enter = entering
move = Folder.move
def before_move(nth, path):
    moves = []
    def moving(self, *details):
        moves.append(details)
        if len(moves) == nth:
            if not path:
                raise OSError(0, 'not now')
            os.makedirs(path)
        return move(self, *details)
    Folder.move = moving
look, read_link = Folder.look, Folder.read_link
def alternate(name, other):
    def alternating(ask):
        def asking(self, asked):
            answer = ask(self, asked)
            if asked == name.encode():
                path, instead = self.path_of(asked).decode(), self.path_of(other.encode()).decode()
                swap(path, path + '.away', instead + '/')
                os.rename(path + '.away', instead)
            return answer
        return asking
    Folder.look, Folder.read_link = alternating(look), alternating(read_link)
def keep_out(path, mode):
    def moving(self, *details):
        Folder.move = move
        os.chmod(path, mode)
        return move(self, *details)
    Folder.move = moving
    if os.getuid() == 0:
        os.seteuid(${nobody})
def renewed(): return [path.decode() for path in writer.renewed]
def end():
    if os.getuid() == 0:
        os.seteuid(0)
    Folder.enter, Folder.move, Folder.look, Folder.read_link = enter, move, look, read_link`)
  }

  get #gateway(): Gateway {
    if (this.#group === undefined) throw new Error('not open')
    return this.#group.get(0)
  }

  begin = async (target: string): Promise<void> => void (await this.#gateway.call('begin', [target]))
  take = (item: unknown) => this.#gateway.call('take', [item])
  settle = () => this.#gateway.call('settle')
  discard = () => this.#gateway.call('discard')
  read = (path: string, moved: string, link: string) => this.#gateway.call<string[]>('read', [path, moved, link])
  exchange = async (name: string, path: string, instead: string): Promise<void> =>
    void (await this.#gateway.call('exchange', [name, path, instead]))
  beforeMove = async (nth: number, path: string): Promise<void> =>
    void (await this.#gateway.call('before_move', [nth, path]))
  alternate = async (name: string, other: string): Promise<void> =>
    void (await this.#gateway.call('alternate', [name, other]))
  keepOut = async (path: string, mode: number): Promise<void> =>
    void (await this.#gateway.call('keep_out', [path, mode]))
  renewed = () => this.#gateway.call<string[]>('renewed')
  end = async (): Promise<void> => void (await this.#gateway.call('end'))
  async close(): Promise<void> {
    await this.#group?.terminate()
  }
}

/** Puts a link, or with a slash at the end the folder itself, in the place of what is moved to `path`. */
export function exchange(place: string, path: string, instead: string): void {
  renameSync(place, path)
  if (instead.endsWith('/')) renameSync(instead.slice(0, -1), place)
  else symlinkSync(instead, place)
}

const oldest = findInterpreter('CPython 2.7')
const pythons = [...new Set([oldest, newestInterpreter()])].filter((each) => each !== undefined)
/** Here, and on the oldest and the newest Python: those do it in different ways. */
export const sides: [string, Steps][] = [
  ['here', new StepsHere()],
  ...pythons.map(({ name, command }): [string, Steps] => [`there, with ${name}`, new StepsThere(command)]),
]
