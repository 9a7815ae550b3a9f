// sudo and su as somebody who is not root: with a password, with a wrong one, with nobody who knows it, and refused.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Asking, Group, type PhaseEvent, type Question, XSpecError } from '../../src/index.js'
import { Mark, thoseThatStay } from '../processes.js'
import { type Account, password } from '../testbeds/accounts.js'
import { expectFault, type Fault } from '../testbeds/fault.js'
import { findProgram, noOtherUsers, titled } from '../testbeds/needs.js'
import { startOtherUsers } from '../testbeds/other-users.js'
import { usePath, writePrograms } from '../testbeds/path.js'
import { childrenOf } from '../testbeds/server.js'

const python = 'python=/usr/bin/python3'
const bert = { name: 'bert', uid: 4712, hasPassword: true, home: '/tmp' }
const askFor = { rules: ['anne ALL=(bert) ALL'], accounts: [bert] }
const askNothing = { rules: ['anne ALL=(bert) NOPASSWD: ALL'], accounts: [bert] }
const whoAmI = 'import os; channel.send([os.getuid(), os.environ["HOME"]])'

const controller = fileURLToPath(new URL('../fixtures/controller.mjs', import.meta.url))
// It never lets go of the interpreter's lock.
const stuckInC = 're.match("(a+)+$", "a" * 40 + "b")'

/** Answers in turn, and keeps the questions. */
function answering(...answers: (string | undefined)[]) {
  const questions: Question[] = []
  const prompt = (question: Question, _: Asking): string | undefined => {
    questions.push(question)
    return answers.shift()
  }
  return { questions, prompt }
}

describe.skipIf(noOtherUsers)(titled('sudo', noOtherUsers), () => {
  it('starts a worker as another user without a question where none is asked', async () => {
    await using _ = startOtherUsers(askNothing)
    const { questions, prompt } = answering()
    await using group = new Group({ prompt })
    const gateway = await group.makeGateway('sudo=bert//env:GREETING=a "b" $c')
    expect(await gateway.remoteExec(whoAmI).receive()).toEqual([4712, '/tmp'])
    expect(await gateway.remoteExec('import os; channel.send(os.environ["GREETING"])').receive()).toBe('a "b" $c')
    expect(questions).toEqual([])
  })

  it('asks for the password of whom sudo asks, and again when it was wrong', async () => {
    await using _ = startOtherUsers(askFor)
    const { questions, prompt } = answering('wrong', password)
    await using group = new Group({ prompt })
    const gateway = await group.makeGateway(`sudo=bert//${python}`)
    expect(await gateway.remoteExec(whoAmI).receive()).toEqual([4712, '/tmp'])
    const question = { kind: 'password', from: expect.stringMatching(/^anne@/), text: 'password of anne', echo: false }
    expect(questions).toEqual([question, question])
  })

  it('has the time stand still while a person is asked, and says when it goes on', async () => {
    await using _ = startOtherUsers(askFor)
    const phases: PhaseEvent[] = []
    const prompt = (): Promise<string> => new Promise((resolve) => setTimeout(() => resolve(password), 5500))
    await using group = new Group({ prompt, onPhase: (event) => phases.push(event) })
    await group.makeGateway(`sudo=bert//${python}//timeout=5s`)
    expect(phases.map(({ phase }) => phase)).toEqual(['authenticate', 'python', 'ready'])
  })

  it('keeps what is executed at once until it has been let in, and no byte of it is taken for a password', async () => {
    await using _ = startOtherUsers(askFor)
    await using group = new Group({ prompt: answering(password).prompt })
    const gateway = group.launchGateway(`sudo=bert//${python}`)
    const channel = gateway.remoteExec<number, Uint8Array>('channel.send(len(channel.receive()))')
    void channel.send(new Uint8Array(5_000_000))
    expect(await channel.receive()).toBe(5_000_000)
  })

  it('works beside a carrier, whose user is asked', async () => {
    await using users = startOtherUsers(askFor)
    const { questions, prompt } = answering(password)
    await using group = new Group({ prompt })
    await group.makeGateway(`popen//id=carrier//${python}//env:PATH=${users.env.PATH}`)
    const gateway = await group.makeGateway(`sudo=bert//via=carrier//${python}`)
    expect(await gateway.remoteExec(whoAmI).receive()).toEqual([4712, '/tmp'])
    expect(questions).toMatchObject([{ from: expect.stringMatching(/^anne@/) }])
  })

  it('ends a worker that is stuck and that nobody on this side may kill, and leaves nothing', async () => {
    await using users = startOtherUsers(askNothing)
    const mark = new Mark()
    await using group = new Group()
    // Her worker's own folder of programs is that of the system: the real sudo, started by her.
    await group.makeGateway(`command=${users.asAnne} {python}//id=anne//${python}//env:PATH=/usr/bin:/bin`)
    const gateway = await group.makeGateway(`sudo=bert//via=anne//${python}//${mark.key}`)
    const stuck = gateway.remoteExec(`import os, re; channel.send(os.getuid()); ${stuckInC}`)
    expect(await stuck.receive()).toBe(4712)
    expect(mark.pids().length).toBeGreaterThan(0)
    expect((await gateway.terminate({ timeout: 400 })).killed.length).toBe(1)
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  describe('refuses', () => {
    const expectRefusal = (fault: Pick<Fault, 'spec' | 'says' | 'prompt'>): Promise<unknown> =>
      expectFault({ code: 'ERR_AUTHENTICATION', phase: 'authenticate', ...fault })

    it('when nobody answers, and says what can be done', async () => {
      await using _ = startOtherUsers(askFor)
      const says = ['password of anne', 'nobody answered', 'Give a prompt', 'NOPASSWD', 'log in as bert']
      await expectRefusal({ spec: `sudo=bert//${python}`, says })
      await expectRefusal({ spec: `sudo=bert//${python}`, says, prompt: () => undefined })
    })

    it('after as many wrong passwords as sudo takes', async () => {
      await using _ = startOtherUsers({ ...askFor, rules: ['Defaults passwd_tries=2', ...askFor.rules] })
      const { questions, prompt } = answering('a', 'b', password)
      await expectRefusal({ spec: `sudo=bert//${python}`, prompt, says: ['2 incorrect password attempts'] })
      expect(questions.length).toBe(2)
    })

    it('somebody whom no rule allows it', async () => {
      const prompt = (): string => password
      await using _ = startOtherUsers({ accounts: [bert] })
      await expectRefusal({
        spec: 'sudo=bert',
        prompt,
        says: ['anne is not in the sudoers file', 'Allow it in sudoers'],
      })
    })

    it('a user whom the rules do not allow, or who is not there', async () => {
      await using _ = startOtherUsers(askNothing)
      const prompt = (): string => password
      await expectRefusal({ spec: 'sudo=root', prompt, says: ['not allowed to execute', 'Allow it in sudoers'] })
      await expectRefusal({ spec: 'sudo=nosuch', says: ['unknown user', '"sudo', 'Check the name'] })
    })

    it('where a terminal is required', async () => {
      await using _ = startOtherUsers({ ...askNothing, rules: ['Defaults requiretty', ...askNothing.rules] })
      await expectRefusal({ spec: 'sudo=bert', says: ['must have a tty', 'requiretty'] })
    })
  })

  it('passes on that the interpreter is not there', async () => {
    await using _ = startOtherUsers(askNothing)
    const says = ['exit code 127', '/nowhere/python3', 'python=']
    await expectFault({ spec: 'sudo=bert//python=/nowhere/python3', code: 'ERR_BOOTSTRAP', phase: 'python', says })
  })

  it('is given up in time when what it started neither says anything nor looks at its input', async () => {
    await using users = startOtherUsers(askNothing)
    const mark = new Mark()
    await using group = new Group()
    await group.makeGateway(`command=${users.asAnne} {python}//id=anne//${python}//env:PATH=/usr/bin:/bin`)
    const spec = `sudo=bert//via=anne//python=sh -c "exec sleep 1000" x//timeout=500//${mark.key}`
    await expect(group.makeGateway(spec)).rejects.toMatchObject({ code: 'ERR_BOOTSTRAP', phase: 'python' })
    for (const pid of mark.pids()) process.kill(pid, 'SIGKILL') // it is no worker, which would have left
  })

  it('leaves nothing when the controller is killed', async () => {
    await using _ = startOtherUsers(askNothing)
    const mark = new Mark()
    const source = `import re; channel.send(1); ${stuckInC}`
    const args = [controller, `sudo=bert//${python}//${mark.key}`, source]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(createInterface(child.stdout), 'line')
    expect(mark.pids().length).toBeGreaterThan(0)
    child.kill('SIGKILL')
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('is given up while it waits for an answer', async () => {
    await using _ = startOtherUsers(askFor)
    const aborting = new AbortController()
    const prompt = (): Promise<undefined> => {
      aborting.abort(new Error('changed my mind'))
      return new Promise(() => undefined)
    }
    await using group = new Group({ prompt })
    const opening = group.makeGateway(`sudo=bert//${python}`, { signal: aborting.signal })
    await expect(opening).rejects.toThrow('changed my mind')
    expect(await thoseThatStay(() => childrenOf(process.pid))).toEqual([])
  })
})

describe.skipIf(noOtherUsers)(titled('su', noOtherUsers), () => {
  const expectBert = async (account: Partial<Account>, key = python): Promise<void> => {
    await using _ = startOtherUsers({ accounts: [{ ...bert, ...account }] })
    const { questions, prompt } = answering(password)
    await using group = new Group({ prompt })
    const gateway = await group.makeGateway(`su=bert//${key}//env:GREETING=a "b" $c!`)
    const source = 'import os; channel.send([os.getuid(), os.environ["GREETING"]])'
    expect(await gateway.remoteExec(source).receive()).toEqual([4712, 'a "b" $c!'])
    expect(questions).toMatchObject([{ kind: 'password', from: expect.stringMatching(/^bert@/), echo: false }])
  }

  it('asks for the password of the user to be', async () => {
    await expectBert({})
    await expectBert({}, 'nice=1')
  })

  it.each(['tcsh', 'fish', 'bash'])('starts a worker for somebody whose login shell is %s', async (name) => {
    const shell = findProgram(name) ?? '/bin/sh'
    await expectBert({ shell })
    await expectBert({ shell, isRestricted: true })
  })

  describe('refuses', () => {
    const expectRefusal = (fault: Pick<Fault, 'spec' | 'says' | 'prompt'>): Promise<unknown> =>
      expectFault({ code: 'ERR_AUTHENTICATION', phase: 'authenticate', ...fault })

    it('a wrong password', async () => {
      await using _ = startOtherUsers(askFor)
      const { questions, prompt } = answering('wrong', password)
      await expectRefusal({ spec: 'su=bert', prompt, says: ['Authentication failure', 'Check the password'] })
      expect(questions.length).toBe(1)
    })

    it('when nobody answers', async () => {
      await using _ = startOtherUsers(askFor)
      await expectRefusal({ spec: 'su=bert', says: ['password of bert', 'nobody answered', 'Give a prompt'] })
    })

    it('a user who is not there', async () => {
      await using _ = startOtherUsers(askFor)
      await expectRefusal({ spec: 'su=nosuch', says: ['nosuch does not exist', 'Check the name'] })
    })

    it('somebody who may not log in', async () => {
      await using _ = startOtherUsers({ accounts: [{ ...bert, shell: findProgram('nologin'), isRestricted: true }] })
      const prompt = (): string => password
      await expectRefusal({ spec: 'su=bert', prompt, says: ['not available', 'by hand: su bert'] })
    })
  })
})

describe('sudo and su', () => {
  it.each(['sudo', 'su'])('say that %s is not installed', async (program) => {
    const undo = usePath('/nowhere')
    const says = [`no program "${program}" on this machine`, 'Install it']
    await expectFault({ spec: `${program}=bert`, code: 'ERR_BOOTSTRAP', phase: 'authenticate', says }).finally(undo)
  })

  it.each([
    ['sudo', 'sudo -u bert'],
    ['su', 'su bert'],
  ])('say how to see what keeps %s, when its time is up', async (program, byHand) => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-stuck-'))
    const undo = usePath(writePrograms(folder, { [program]: 'exec sleep 1000' }))
    try {
      const error = await expectFault({
        spec: `${program}=bert//timeout=300ms`,
        code: 'ERR_BOOTSTRAP',
        phase: 'authenticate',
        says: [`${program} neither let us be bert nor said why`, `by hand: ${byHand}, or raise timeout=`],
      })
      expect(error.message).not.toContain('ssh')
    } finally {
      undo()
      rmSync(folder, { recursive: true })
    }
  })

  it('are no keys of another kind, which would leave them aside', async () => {
    await using group = new Group()
    await expect(group.makeGateway('popen//sudo=bert')).rejects.toThrow('two kinds of gateway, "popen" and "sudo"')
  })

  it.each(['sudo=-i', 'su=-', 'su=a b'])('take no options: "%s"', async (spec) => {
    await using group = new Group()
    await expect(group.makeGateway(spec)).rejects.toThrow(XSpecError)
  })
})
