// The program that asks for a password, run as ssh and sudo run it.
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { type Askpass, openAskpass } from '../../src/transports/askpass.js'

async function run(askpass: Askpass, question: string, env: Record<string, string> = {}): Promise<[string, unknown]> {
  const child = spawn(askpass.program, [question], {
    env: { ...process.env, ...askpass.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  return [await text(child.stdout), await exited]
}

describe.skipIf(process.platform === 'win32')('a program that asks', () => {
  it('passes the question on, and prints the answer as it is', async () => {
    const asked: unknown[] = []
    const askpass = await openAskpass(async (question) => {
      asked.push(question)
      return `it's "sécret" $HOME\\ `
    })
    try {
      expect(await run(askpass, "o'neill's password: ")).toEqual([`it's "sécret" $HOME\\ \n`, 0])
      expect(await run(askpass, 'sure?', { SSH_ASKPASS_PROMPT: 'confirm' })).toEqual([expect.any(String), 0])
      expect(asked).toEqual([{ text: "o'neill's password: " }, { text: 'sure?', kind: 'confirm' }])
    } finally {
      askpass.close()
    }
  })

  it('ends without an answer when there is none', async () => {
    const askpass = await openAskpass(async () => undefined)
    expect(await run(askpass, 'password')).toEqual(['', 1])
    askpass.close()
  })

  it('ends when nobody waits for the answer any more', async () => {
    const askpass = await openAskpass(() => new Promise(() => askpass.close()))
    expect(await run(askpass, 'password')).toEqual(['', 1])
    expect(existsSync(askpass.program)).toBe(false)
  })

  it('can be reached by its own user only', async () => {
    const askpass = await openAskpass(async () => 'x')
    expect(statSync(dirname(askpass.program)).mode & 0o777).toBe(0o700)
    expect(statSync(askpass.program).mode & 0o777).toBe(0o700)
    askpass.close()
  })
})
