// Gateways on nodes that Slurm grants: placed together, waited for in the queue, ended with whoever wanted them, and lost in every way there is.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Allocation } from '../../src/gateways/kinds/slurm/allocation.js'
import { Job } from '../../src/gateways/kinds/slurm/job.js'
import { type Gateway, Group, type GroupOptions, type PhaseEvent } from '../../src/index.js'
import { here } from '../../src/transports/origin.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { expectUsable } from '../testbeds/fault.js'
import { noSlurm, titled } from '../testbeds/needs.js'
import { Slurm } from '../testbeds/slurm.js'
import { Traveller } from '../transports/ssh/traveller.js'

const python = `python=${anyInterpreter().command}`
const nodeOf = 'import os; channel.send(os.environ["SLURMD_NODENAME"])'
const narrow = { partition: 'narrow', nodes: undefined, timeLimitMs: undefined, options: [] }
const stepOf = 'import os; channel.send(os.environ["SLURM_JOB_ID"] + "." + os.environ["SLURM_STEP_ID"])'

function program(fixture: string, ...args: string[]): ChildProcess {
  const file = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url))
  return spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
}

describe.skipIf(noSlurm)(titled('a gateway on a node that Slurm grants', noSlurm), () => {
  let slurm: Slurm
  beforeAll(async () => {
    slurm = await Slurm.start()
  })
  afterAll(() => slurm?.stop())
  const groups: Group[] = []
  afterEach(async () => {
    for (const group of groups.splice(0)) await group.terminate()
    expect(await slurm.jobsAfter(5000)).toEqual([])
  })

  async function open(specs: string | string[], options: GroupOptions = {}): Promise<Group> {
    const group = await Group.open(
      [specs].flat().map((spec) => `${spec}//${python}`),
      options,
    )
    groups.push(group)
    return group
  }

  /** `n4` is taken: whoever wants `narrow` has to wait. */
  async function fill(): Promise<Gateway> {
    return (await open('slurm=narrow')).get(0)
  }

  describe('placed', () => {
    it('with others is one of as many tasks of one job, and knows its node', async () => {
      const group = await open('8*slurm=main//nodes=4')
      const nodes = await group.remoteExec<string>(nodeOf).receiveEach()
      expect([...group].map(({ remoteAddress }) => remoteAddress)).toEqual(nodes)
      expect(new Set(nodes)).toEqual(new Set(['n1', 'n2', 'n3', 'n4']))
      expect(slurm.jobs()).toHaveLength(1)
      await group.terminate()
      expect(await slurm.jobsAfter(5000)).toEqual([])
    })

    it('leaves the job to the others when it ends', async () => {
      const group = await open('2*slurm=main')
      const [job] = slurm.jobs()
      await group.get(0).terminate()
      expect(await group.get(-1).remoteExec('channel.send(1)').receive()).toBe(1)
      expect(slurm.jobs()).toEqual([job])
    })

    it('with other keys, or later, has a job of its own', async () => {
      const group = await open(['slurm=main//time=10m', 'slurm=main//slurm_options=--comment="two words" --mem=100M'])
      await group.makeGateway(`slurm=main//${python}`)
      const jobs = slurm.jobs().map((job) => slurm.run('scontrol', 'show', 'job', job))
      expect(jobs).toHaveLength(3)
      expect(jobs.filter((job) => job.includes('TimeLimit=00:10:00'))).toHaveLength(1)
      expect(jobs.filter((job) => /Comment=two words/.test(job) && /MinMemoryNode=100M/.test(job))).toHaveLength(1)
    })

    it('from inside of another job does not mind the variables of that', async () => {
      process.env['SLURM_MEM_PER_NODE'] = '999999'
      try {
        const gateway = (await open('slurm=main')).get(0)
        const source = 'import os; channel.send(os.environ.get("SLURM_MEM_PER_NODE", "none"))'
        expect(await gateway.remoteExec(source).receive()).not.toBe('999999')
      } finally {
        delete process.env['SLURM_MEM_PER_NODE']
      }
    })

    it('carries bytes unharmed in both directions', async () => {
      const gateway = (await open('slurm=main')).get(0)
      const bytes = new Uint8Array(30 * 1024 * 1024).map((_, index) => (index * 7919) >> 3)
      const echo = gateway.remoteExec<Uint8Array>('channel.send(channel.receive())')
      await echo.send(bytes)
      expect(Buffer.compare(await echo.receive(), bytes)).toBe(0)
    })

    it('beside another gateway, on a login node, is no different', async () => {
      const group = new Group()
      groups.push(group)
      await group.makeGateway(`popen//id=login//${python}`)
      const gateways = await Promise.all([1, 2, 3].map(() => group.makeGateway(`slurm=main//via=login//${python}`)))
      const nodes = await Promise.all(gateways.map((gateway) => gateway.remoteExec(nodeOf).receive()))
      expect(gateways.map(({ remoteAddress }) => remoteAddress)).toEqual(nodes)
      expect(slurm.jobs()).toHaveLength(1)
    })
  })

  describe('that has to wait', () => {
    it('tells why, and is there when its turn comes', async () => {
      const filler = await fill()
      const events: PhaseEvent[] = []
      const onPhase = (event: PhaseEvent): void => {
        events.push(event)
        if (event.detail?.includes('is pending (') === true) void filler.terminate()
      }
      const gateway = (await open('slurm=narrow', { onPhase })).get(0)
      expect(await gateway.remoteExec(nodeOf).receive()).toBe('n4')
      expect(events.map(({ phase, detail }) => `${phase}: ${detail}`)).toEqual([
        'connect: the Slurm controller',
        expect.stringMatching(/^channel: job \d+ is pending$/),
        expect.stringMatching(/^channel: job \d+ is pending \((Resources|Priority)\)$/),
        expect.stringMatching(/^channel: job \d+ on n4$/),
        expect.stringMatching(/^python/),
        expect.stringMatching(/^ready/),
      ])
    })

    it('does not lose its time to the queue', async () => {
      const filler = await fill()
      const [traveller, allocation] = [new Traveller(), new Allocation(here, narrow)]
      const taking = allocation.take(traveller, traveller.signal)
      allocation.submit()
      await traveller.reaches('channel')
      expect(traveller.pauses).toBe(1)
      await filler.terminate()
      const seat = await taking
      expect(traveller.pauses).toBe(0)
      seat.release()
    })

    it('longer than its explicit timeout fails with the reason, and its job is cancelled', async () => {
      await fill()
      const error: unknown = await errorOf(open('slurm=narrow//timeout=5s'))
      expect(error).toMatchObject({
        code: 'ERR_BOOTSTRAP',
        phase: 'channel',
        message: expect.stringMatching(/^gateway gw0 .* job \d+ was still pending \((Resources|Priority)\).*squeue/),
      })
      await expect.poll(() => slurm.jobs()).toHaveLength(1)
      await expectUsable()
    })

    it.each(['terminated', 'aborted'])('takes its job along when it is %s', async (how) => {
      await fill()
      const [abort, group] = [new AbortController(), new Group()]
      const onPhase = ({ detail }: PhaseEvent): void => {
        if (detail?.includes('pending') !== true) return
        if (how === 'aborted') abort.abort(new Error('enough'))
        else void group.terminate()
      }
      const opening = group.makeGateway(`slurm=narrow//${python}`, { onPhase, signal: abort.signal })
      await expect(opening).rejects.toThrow(how === 'aborted' ? 'enough' : 'it was terminated')
      await expect.poll(() => slurm.jobs()).toHaveLength(1)
    })

    it('takes its job along when it is given up the moment that is queued', async () => {
      await fill()
      for (let count = 0; count < 20; count++) {
        const job = await new Promise<Job>((resolve) => {
          const queued: Job = new Job(here, narrow, { tasks: 1, onPending: () => resolve(queued) })
        })
        job.release()
        await job.ended
      }
      expect(slurm.jobs()).toHaveLength(1)
    })

    it('learns that its job was cancelled', async () => {
      await fill()
      const onPhase = ({ detail }: PhaseEvent): void => {
        const [, job] = /job (\d+) is pending \(/.exec(detail ?? '') ?? []
        if (job !== undefined) slurm.run('scancel', job)
      }
      await expect(open('slurm=narrow', { onPhase })).rejects.toMatchObject({
        code: 'ERR_BOOTSTRAP',
        message: expect.stringContaining('the job was cancelled while it was pending'),
      })
    })
  })

  it('does not keep its program alive, and leaves nothing when that ends', async () => {
    const mark = new Mark()
    const child = program('ends-with-live-gateways.mjs', `slurm=main//${python}//${mark.key}`)
    expect((await once(child, 'exit'))[0]).toBe(0)
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  describe('whose controller is killed with -9', () => {
    function controller(spec: string): ChildProcess {
      return program('controller.mjs', spec, 'channel.send(1); channel.receive()')
    }

    it('ends, and its job with it', async () => {
      const mark = new Mark()
      const child = controller(`slurm=main//${python}//${mark.key}`)
      if (child.stdout === null) throw new Error('no stdout')
      await once(createInterface(child.stdout), 'line')
      expect(slurm.jobs()).toHaveLength(1)
      child.kill('SIGKILL')
      expect(await thoseThatStay(mark.pids)).toEqual([])
      expect(await slurm.jobsAfter(5000)).toEqual([])
    })

    it('takes its pending job along', async () => {
      await fill()
      const child = controller(`slurm=narrow//${python}`)
      const exited = once(child, 'exit')
      await expect.poll(() => slurm.jobs()).toHaveLength(2)
      child.kill('SIGKILL')
      await exited
      await expect.poll(() => slurm.jobs()).toHaveLength(1)
    })
  })

  describe('that is lost', () => {
    /** Two on two nodes: the first is to be lost, the second to go on. */
    async function pair(): Promise<[lost: Gateway, other: Gateway, step: string]> {
      const group = await open('2*slurm=main//nodes=2')
      const lost = group.get(0)
      return [lost, group.get(1), await lost.remoteExec<string>(stepOf).receive()]
    }

    async function expectLost(gateway: Gateway, says: RegExp): Promise<void> {
      await expect(gateway.remoteExec('channel.receive()').receive()).rejects.toMatchObject({
        code: 'ERR_GATEWAY_CLOSED',
        message: expect.stringMatching(says),
      })
      expect(await gateway.closed).toMatchObject({ reason: 'lost' })
    }

    async function expectGoesOn(gateway: Gateway): Promise<void> {
      expect(await gateway.remoteExec('channel.send(6 * 7)').receive()).toBe(42)
    }

    it('because its step was cancelled says so, and others go on', async () => {
      const [lost, other, step] = await pair()
      const waiting = expectLost(lost, /its step was cancelled \(n\d, job \d+, which goes on\)/)
      slurm.run('scancel', step)
      await waiting
      await expectGoesOn(other)
    })

    it('because its job was cancelled says so', async () => {
      const [lost, other, step] = await pair()
      const says = /job \d+ was cancelled/
      const waiting = Promise.all([expectLost(lost, says), expectLost(other, says)])
      slurm.run('scancel', step.split('.')[0] ?? '')
      await waiting
      await expectUsable()
    })

    it('because its job has reached its time limit says so', async () => {
      const [lost, other, step] = await pair()
      const says = /job \d+ has reached its time limit; ask for more with time=/
      const waiting = Promise.all([expectLost(lost, says), expectLost(other, says)])
      slurm.run('scontrol', 'update', `jobid=${step.split('.')[0]}`, 'endtime=now')
      await waiting
    }, 90_000)

    it('because its node was set down says so, and others go on', async () => {
      const [lost, other] = await pair()
      const node = lost.remoteAddress ?? ''
      const waiting = expectLost(lost, new RegExp(`node ${node} has failed, or was set down`))
      slurm.run('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test')
      await waiting
      await expectGoesOn(other)
      await other.terminate()
      await slurm.idle() // its slurmd has reported for duty
    })

    it('because its node died is known when Slurm knows, and others go on', async () => {
      const [lost, other] = await pair()
      const node = lost.remoteAddress ?? ''
      // Of a connection that was reset srun learns at once; else the controller tells it, when SlurmdTimeout has passed.
      const says = `node ${node} has failed, or was set down|the worker was lost \\(${node}, job \\d+\\): srun says .*io error`
      const waiting = expectLost(lost, new RegExp(says))
      await slurm.lose(node)
      await waiting
      await expectGoesOn(other)
      await other.terminate()
      await slurm.restore(node)
    }, 60_000)

    it('because its srun was killed ends with its worker', async () => {
      const mark = new Mark()
      const group = await open(`slurm=main//${mark.key}`)
      const waiting = expectLost(group.get(0), /the worker was lost \(n\d, job \d+\): srun was ended by SIGKILL/)
      const [srun] = slurm.runningOf('srun')
      process.kill(srun ?? 0, 'SIGKILL')
      await waiting
      expect(await thoseThatStay(mark.pids)).toEqual([])
    })
  })
})
