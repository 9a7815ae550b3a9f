// Containers and other roots: what opens, what does not and says why, and that nothing is left inside whoever is killed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, XSpecError } from '../../src/index.js'
import { findInterpreter } from '../interpreters.js'
import { thoseThatStay } from '../processes.js'
import { type Containers, startContainers } from '../testbeds/containers.js'
import { expectFault } from '../testbeds/fault.js'
import { noContainers, noInterpreter, titled } from '../testbeds/needs.js'
import { usePath } from '../testbeds/path.js'
import { childrenOf } from '../testbeds/server.js'
import { eventually } from '../waiting.js'

const python = 'python=/usr/bin/python3'
const controller = fileURLToPath(new URL('../fixtures/controller.mjs', import.meta.url))

describe.skipIf(noContainers)(titled('containers', noContainers), () => {
  let bed: Containers
  beforeAll(() => {
    bed = startContainers()
    bed.run({ name: 'web', args: ['--hostname', 'inside'] })
  })
  afterAll(() => bed.stop())

  const leftIn = (name: string): Promise<number[]> => thoseThatStay(() => bed.pids(name))
  const whereIs = (gateway: Gateway): Promise<unknown> =>
    gateway.remoteExec('import os, socket; channel.send([socket.gethostname(), os.getuid(), os.getcwd()])').receive()

  describe('a worker starts', () => {
    const expectAnswer = async (spec: string, answer: unknown): Promise<void> => {
      await using group = new Group()
      const gateway = await group.makeGateway(spec)
      expect(await whereIs(gateway)).toEqual(answer)
    }

    it('in a container of podman, with no word about which interpreter', async () => {
      await expectAnswer('podman=web', ['inside', 0, '/'])
      await expectAnswer('podman=web//env:GREETING=a "b" $c//chdir=/tmp', ['inside', 0, '/tmp'])
    })

    it('in a container of docker (podman under its name, which has the same command line)', async () => {
      await expectAnswer(`docker=web//${python}`, ['inside', 0, '/'])
    })

    it('with options of `podman exec` before the name', async () => {
      await expectAnswer(`podman=--user 4711 -w /tmp web//${python}`, ['inside', 4711, '/tmp'])
    })

    it('where no shell and no other program is found, when the interpreter is given by its path', async () => {
      bed.run({ name: 'distroless', without: 'programs', args: ['--hostname', 'bare'] })
      await expectAnswer(`podman=distroless//${python}`, ['bare', 0, '/'])
    })

    it('in a pod (kubectl is a program that reads the command line of kubectl as strictly)', async () => {
      bed.run({ name: 'default.shop.main', args: ['--hostname', 'shop'] })
      bed.run({ name: 'prod.shop.side', args: ['--hostname', 'shop-side'] })
      await expectAnswer('kubectl=shop', ['shop', 0, '/'])
      await expectAnswer(`kubectl=shop//namespace=prod//container=side//context=lab//${python}`, ['shop-side', 0, '/'])
      await expectAnswer('kubectl=-n prod -c side shop', ['shop-side', 0, '/'])
    })

    it('beside the worker of another container', async () => {
      await using group = await Group.open(['podman=web//id=web', 'popen//via=web//id=inner'])
      expect(await whereIs(group.get('inner'))).toEqual(['inside', 0, '/'])
    })

    it('by nsenter, as a command', async () => {
      const pid = bed.podman('inspect', '--format', '{{.State.Pid}}', 'web').trim()
      await expectAnswer(`command=nsenter -t ${pid} -m -u -i -n -p {python}//${python}`, ['inside', 0, '/'])
    })

    const noPython2 = noInterpreter('CPython 2.7')
    it.skipIf(noPython2)(titled('in a Python 2.7', noPython2), async () => {
      const old = findInterpreter('CPython 2.7')?.command ?? ''
      bed.run({ name: 'old', python: old })
      await using group = new Group()
      expect((await (await group.makeGateway(`podman=old//python=${old}`)).info()).versionInfo[0]).toBe(2)
    })

    it('in another root, by chroot', async () => {
      const mounts = ['usr', 'dev'].map((name) => `mount --bind /${name} ${bed.root}/${name}`).join(';')
      const mounting = `command=unshare --mount --propagation private sh -c "${mounts};exec {python}"//id=mounter`
      await using group = await Group.open([mounting, `chroot=${bed.root}//via=mounter//id=jailed//${python}`])
      const channel = group.get('jailed').remoteExec('import os; channel.send([os.getcwd(), os.path.isdir("/home")])')
      expect(await channel.receive()).toEqual(['/', false])
    })
  })

  describe('a worker does not start', () => {
    it.each(['podman', 'docker'])('in a container that %s does not have', async (program) => {
      const says = [program, '"nosuch"', 'no such container', 'ps -a']
      await expectFault({ spec: `${program}=nosuch`, code: 'ERR_HOST_NOT_FOUND', phase: 'resolve', says })
    })

    it('in a container that has stopped, or is paused', async () => {
      const fault = { code: 'ERR_HOST_NOT_FOUND', phase: 'connect' } as const
      bed.run({ name: 'tired' })
      bed.podman('pause', 'tired')
      await expectFault({ spec: 'podman=tired', ...fault, says: ['"tired"', 'podman unpause tired'] })
      bed.podman('kill', 'tired')
      await expectFault({ spec: 'podman=tired', ...fault, says: ['"tired"', 'podman start tired'] })
    })

    it('in a pod, container or context that there is not', async () => {
      const fault = { code: 'ERR_HOST_NOT_FOUND', phase: 'resolve' } as const
      bed.run({ name: 'default.alone.main' })
      for (const spec of ['nosuch', 'alone//container=nosuch', 'alone//namespace=nosuch', 'alone//context=nosuch'])
        await expectFault({ spec: `kubectl=${spec}`, ...fault, says: [/"?nosuch"?/, 'context='] })
    })

    it('in a container without a Python, and what was looked for is named', async () => {
      bed.run({ name: 'plain', without: 'python' })
      // Podman may lose what a process says with its last breath; the names stand behind "Tried" in any case.
      const says = ['exit code 127', /python3,? python,? python3\.13/, 'python=']
      await expectFault({ spec: 'podman=plain', code: 'ERR_BOOTSTRAP', phase: 'python', says })
    })

    it('in a container without a shell that could look for one', async () => {
      bed.run({ name: 'shellless', without: 'programs' })
      const says = [/exec: .*sh.*not found/, 'python=']
      await expectFault({ spec: 'podman=shellless', code: 'ERR_BOOTSTRAP', phase: 'python', says })
    })

    it('where the interpreter asked for is not there', async () => {
      const says = ['/nowhere/python3', 'python=']
      for (const program of ['podman', 'docker'])
        await expectFault({
          spec: `${program}=web//python=/nowhere/python3`,
          code: 'ERR_BOOTSTRAP',
          phase: 'python',
          says,
        })
    })

    it.each(['podman', 'docker', 'kubectl', 'chroot'])('where %s is not installed', async (program) => {
      const undo = usePath('/nowhere')
      const says = [`"${program}"`, 'Install it']
      await expectFault({ spec: `${program}=/web`, code: 'ERR_BOOTSTRAP', phase: 'connect', says }).finally(undo)
    })

    it('where podman is not installed, beside a carrier', async () => {
      await using group = await Group.open([`popen//id=carrier//${python}//env:PATH=/nowhere`])
      const opening = group.makeGateway('podman=web//via=carrier')
      await expect(opening).rejects.toMatchObject({ code: 'ERR_BOOTSTRAP', phase: 'connect' })
      await expect(opening).rejects.toThrow(/"podman" beside carrier/)
    })

    it('in a root that there is not', async () => {
      const fault = { code: 'ERR_HOST_NOT_FOUND', phase: 'resolve' } as const
      await expectFault({ spec: 'chroot=/nowhere', ...fault, says: ['"/nowhere"', 'No such file', 'Check the path'] })
    })

    it('in a container that is paused on the way, within the time', async () => {
      bed.run({ name: 'sleepy' })
      const slow = 'python=sh -c "sleep 1; exec python3 $*" x'
      await using group = new Group()
      const opening = group.makeGateway(`podman=sleepy//${slow}//timeout=1500`)
      const failed = expect(opening).rejects.toMatchObject({ code: 'ERR_BOOTSTRAP', phase: 'python' })
      await eventually(() => expect(bed.pids('sleepy')).not.toEqual([]))
      bed.podman('pause', 'sleepy')
      await failed
      bed.podman('unpause', 'sleepy')
      expect(await leftIn('sleepy')).toEqual([])
    })

    it.each(['podman=', 'podman=-it', 'kubectl=-n prod -c', 'chroot=--userspec=ci'])('for "%s"', async (spec) => {
      await using group = new Group()
      await expect(group.makeGateway(spec)).rejects.toThrow(XSpecError)
    })
  })

  describe('everybody who waits learns it', () => {
    const openIn = async (group: Group, name: string, ...args: string[]): Promise<Gateway> => {
      bed.run({ name, args })
      return await group.makeGateway(`podman=${name}//${python}`)
    }
    const ends = { code: 'ERR_GATEWAY_CLOSED', exitCode: 137, signal: 'SIGKILL' }

    it('when the container stops', async () => {
      await using group = new Group()
      const gateway = await openIn(group, 'stopping')
      const waiting = expect(gateway.newChannel().receive()).rejects.toMatchObject(ends)
      bed.podman('stop', '--time', '0', 'stopping')
      await waiting
      expect(await gateway.closed).toMatchObject({ reason: 'killed', signal: 'SIGKILL' })
    })

    it('when the container is removed', async () => {
      await using group = new Group()
      const gateway = await openIn(group, 'removed')
      // Podman tells how it ended, unless it has already forgotten the container.
      const waiting = expect(gateway.newChannel().receive()).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
      bed.podman('rm', '--force', '--time', '0', 'removed')
      await waiting
      expect((await gateway.closed).exitCode).toBeGreaterThan(0)
    })

    it('when the worker takes more memory than the container may', async () => {
      await using group = new Group()
      const gateway = await openIn(group, 'small', '--memory=64m', '--memory-swap=64m')
      const eating = gateway.remoteExec('items = []\nwhile True: items.append(bytearray(1 << 20))')
      await expect(eating.waitClose()).rejects.toMatchObject(ends)
      expect(bed.podman('inspect', '--format', '{{.State.Status}}', 'small').trim()).toBe('running')
    })

    it('when the container is paused and the gateway is ended; inside, the worker leaves when it goes on', async () => {
      await using group = new Group()
      const gateway = await openIn(group, 'frozen')
      const waiting = gateway.remoteExec('channel.receive()').receive()
      const rejected = expect(waiting).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
      bed.podman('pause', 'frozen')
      const report = await gateway.terminate({ timeout: 300 })
      expect(report.killed).toMatchObject([{ gateway: gateway.id }])
      await rejected
      bed.podman('unpause', 'frozen')
      expect(await leftIn('frozen')).toEqual([])
    })
  })

  describe('nothing is left inside', () => {
    const busy =
      'import os, subprocess; subprocess.Popen(["sleep", "1000"]); channel.send(os.getpid()); channel.receive()'
    // It never lets go of the interpreter's lock, and so cannot see that it should leave.
    const stuck = `import re, subprocess; subprocess.Popen(["sleep", "1000"]); channel.send(1); re.match("(a+)+$", "a" * 40 + "b")`

    it.each([
      ['waits', busy],
      ['is stuck', stuck],
    ])('after terminate, when the worker %s', async (what, source) => {
      const name = `ended-${what.replace(' ', '-')}`
      bed.run({ name })
      await using group = await Group.open([`podman=${name}`])
      await group.get(0).remoteExec(source).receive()
      await group.terminate({ timeout: 400 })
      expect(await leftIn(name)).toEqual([])
    })

    it('after the program that led inside is killed', async () => {
      bed.run({ name: 'cut' })
      const before = childrenOf(process.pid)
      await using group = await Group.open(['podman=cut'])
      await group.get(0).remoteExec(busy).receive()
      const clients = childrenOf(process.pid).filter((pid) => !before.includes(pid))
      for (const pid of clients) process.kill(pid, 'SIGKILL')
      expect(await group.get(0).closed).toMatchObject({ reason: 'killed' })
      expect(await leftIn('cut')).toEqual([])
    })

    it.each([busy, stuck])('after the controller is killed', async (source) => {
      const name = source === busy ? 'orphan' : 'stuck-orphan'
      bed.run({ name })
      const child = spawn(process.execPath, [controller, `podman=${name}`, source], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(createInterface(child.stdout), 'line')
      child.kill('SIGKILL')
      expect(await leftIn(name)).toEqual([])
    })
  })
})
