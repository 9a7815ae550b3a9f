// Questions on a real terminal: what is shown, what is not, and who is asked when.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Question } from '../../src/index.js'
import { Terminal } from '../terminal.js'

const asks = fileURLToPath(new URL('../fixtures/asks.mjs', import.meta.url))
const password: Question = { kind: 'password', from: 'anne@web1', text: 'Password', echo: false }
const code: Question = { kind: 'answer', from: 'anne@web2', text: 'Code for anne@web2', echo: true }
const passphrase: Question = { kind: 'passphrase', from: '~/.ssh/id', text: 'Passphrase of ~/.ssh/id', echo: false }

/** A program that asks. */
function asking(...questions: readonly (readonly [Question, gateway: string])[]): Terminal {
  return new Terminal([process.execPath, asks, JSON.stringify(questions)])
}

async function answersOf(terminal: Terminal): Promise<unknown> {
  const [, answers = ''] = await terminal.shows(/answers (.*?)\r?\n/)
  await terminal.shows(/typing is shown/)
  return JSON.parse(answers)
}

describe.skipIf(process.platform === 'win32')('a question on the terminal', () => {
  it('is asked when the one before is answered; only what may be seen is shown', async () => {
    const terminal = asking([password, 'a'], [code, 'b'])
    await terminal.shows(/anne@web1: Password: /)
    terminal.type('geheim wörd\r')
    await terminal.shows(/Code for anne@web2: /)
    expect(terminal.shown).not.toContain('Code for anne@web2: Code')
    terminal.type('123456\r')
    expect(await answersOf(terminal)).toEqual(['geheim wörd', '123456'])
    expect(terminal.shown.match(/geheim/g)).toHaveLength(1) // in the answers, printed at the end
    expect(terminal.shown.match(/123456/g)).toHaveLength(2)
    expect(await terminal.exitCode()).toBe(0)
  })

  it('takes the keys that edit a line, and no others', async () => {
    const terminal = asking([code, 'a'])
    await terminal.shows(/web2: /)
    terminal.type('wrong\u0015old\u007F\u007F\u007F\u007Fne\u001B[Dw\u0001\r')
    expect(await answersOf(terminal)).toEqual(['new'])
  })

  it('is declined by Ctrl-D, for all that ask the same', async () => {
    const terminal = asking([password, 'a'], [password, 'b'], [code, 'b'])
    await terminal.shows(/Password: /)
    terminal.type('\u0004')
    await terminal.shows(/web2: /)
    terminal.type('1\u0004')
    expect(await answersOf(terminal)).toEqual([null, null, '1'])
  })

  it('is interrupted by Ctrl-C, and the terminal is as before', async () => {
    const terminal = asking([password, 'a'])
    await terminal.shows(/Password: /)
    terminal.type('half\u0003')
    await terminal.shows(/typing is shown/)
    expect(await terminal.exitCode()).toBe(130) // 128 + SIGINT
  })

  it('is over when its gateway is given up, and those that wait are not asked', async () => {
    const terminal = asking([password, 'a'], [code, 'b'])
    const [, pid] = await terminal.shows(/pid (\d+)/)
    await terminal.shows(/Password: /)
    process.kill(Number(pid), 'SIGUSR2')
    expect(await answersOf(terminal)).toEqual([null, null])
    expect(terminal.shown).not.toContain('Code')
  })

  it('for the passphrase of a key is asked once for all hosts, and again when it was wrong', async () => {
    const terminal = asking([passphrase, 'a'], [passphrase, 'b'], [passphrase, 'a'], [passphrase, 'b'])
    await terminal.shows(/Passphrase of ~\/\.ssh\/id: /)
    terminal.type('wrong\r')
    await terminal.shows(/Passphrase of ~\/\.ssh\/id: /)
    terminal.type('right\r')
    expect(await answersOf(terminal)).toEqual(['wrong', 'wrong', 'right', 'right'])
    expect(terminal.shown.match(/Passphrase/g)).toHaveLength(2)
  })

  it('cannot move the cursor, whatever a server has put in it', async () => {
    const terminal = asking([{ ...code, text: 'Code\u001B[2J\u0007\nfor anne@web2' }, 'a'])
    await terminal.shows(/Code \[2J for anne@web2: /)
    terminal.type('\r')
    expect(await answersOf(terminal)).toEqual([''])
  })

  it('keeps lines and the live line off the terminal until it is answered', async () => {
    const terminal = asking([password, 'a'])
    await terminal.shows(/Password: /)
    expect(terminal.shown).toMatch(/^(pid \d+\r\n)?anne@web1: Password: $/)
    terminal.type('x\r')
    await answersOf(terminal)
  })
})

it('a question is declined where there is no terminal, and where standard input is none', async () => {
  const questions = JSON.stringify([[password, 'a']])
  const child = spawn(process.execPath, [asks, questions], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: string[] = []
  child.stdout.on('data', (chunk) => chunks.push(String(chunk)))
  await once(child, 'close')
  expect(chunks.join('')).toContain('answers [null]')

  const terminal = new Terminal(['sh', '-c', '"$0" "$@" </dev/null', process.execPath, asks, questions])
  expect(await answersOf(terminal)).toEqual([null])
})
