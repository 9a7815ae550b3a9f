// What Slurm does not grant, and clusters that are not there: one typed error each, which says what to do.
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { expectFault, type Fault } from '../testbeds/fault.js'
import { noSlurm, program, titled } from '../testbeds/needs.js'
import { Slurm } from '../testbeds/slurm.js'

const python = `python=${anyInterpreter().command}`

describe.skipIf(noSlurm)(titled('a gateway that Slurm is asked for', noSlurm), () => {
  let slurm: Slurm
  beforeAll(async () => {
    slurm = await Slurm.start()
  })
  afterAll(() => slurm?.stop())

  const refused: [what: string, fault: Fault][] = [
    [
      'a partition that there is not',
      {
        spec: `slurm=nope//${python}`,
        code: 'ERR_BOOTSTRAP',
        phase: 'channel',
        says: ['Slurm grants nothing: salloc says', 'invalid partition specified: nope', 'Check the slurm= key'],
      },
    ],
    [
      'more memory than any node has',
      {
        spec: `slurm=main//slurm_options=--mem=900G//${python}`,
        code: 'ERR_BOOTSTRAP',
        phase: 'channel',
        says: ['Memory specification can not be satisfied', 'Check the keys nodes=, time= and slurm_options='],
      },
    ],
    [
      'an option that salloc does not know',
      {
        spec: `slurm=main//slurm_options=--colour=blue//${python}`,
        code: 'ERR_BOOTSTRAP',
        phase: 'channel',
        says: ["unrecognized option '--colour=blue'"],
      },
    ],
    [
      'a time limit that its partition does not allow, once the time is up',
      {
        spec: `slurm=narrow//time=90m//timeout=5s//${python}`,
        code: 'ERR_BOOTSTRAP',
        phase: 'channel',
        says: [/job \d+ was still pending \(Partition\w+\) and has been cancelled/],
      },
    ],
    [
      'an interpreter that is not there',
      {
        spec: 'slurm=main//python=/no/such/python',
        code: 'ERR_BOOTSTRAP',
        phase: 'python',
        says: ['ended with exit code 127', '/no/such/python', 'python=/path/to/python3'],
      },
    ],
  ]

  it.each(refused)('says so of %s, and leaves no job', async (_, fault) => {
    await expectFault(fault)
    expect(await slurm.jobsAfter(5000)).toEqual([])
  })

  it('on a machine without salloc says where to begin', async () => {
    const [folder, path] = [mkdtempSync(join(tmpdir(), 'tendril-path-')), process.env['PATH']]
    symlinkSync(program('sh'), join(folder, 'sh'))
    process.env['PATH'] = folder
    try {
      await expectFault({
        spec: `slurm=main//${python}`,
        code: 'ERR_HOST_NOT_FOUND',
        phase: 'connect',
        says: ['there is no salloc on this machine', 'Install', 'slurm=main//via=ID'],
      })
    } finally {
      process.env['PATH'] = path
      rmSync(folder, { recursive: true })
    }
  })

  it('on a machine without a cluster says where to look', async () => {
    const file = process.env['SLURM_CONF']
    delete process.env['SLURM_CONF']
    try {
      await expectFault({
        spec: `slurm=main//${python}`,
        code: 'ERR_HOST_NOT_FOUND',
        phase: 'connect',
        says: ['nothing says where a Slurm cluster is: salloc says', 'SLURM_CONF'],
      })
    } finally {
      process.env['SLURM_CONF'] = file
    }
  })

  it('by somebody whom Slurm cannot tell says to look at munged', async () => {
    await slurm.withoutMunge(async () => {
      await expectFault({
        spec: `slurm=main//${python}`,
        code: 'ERR_AUTHENTICATION',
        phase: 'authenticate',
        says: ['Slurm cannot tell who asks: salloc says', 'Check that munged runs'],
      })
    })
  })

  it('while its controller does not answer says so', async () => {
    await slurm.withoutController(async () => {
      await expectFault({
        spec: `slurm=main//${python}`,
        code: 'ERR_HOST_NOT_FOUND',
        phase: 'connect',
        says: ['the Slurm controller (slurmctld) does not answer', 'scontrol ping'],
      })
    })
  }, 60_000)

  it('on a node that has died since it was granted says what srun says', async () => {
    await slurm.lose('n4')
    await expectFault({
      spec: `slurm=narrow//${python}`,
      code: 'ERR_BOOTSTRAP',
      phase: 'channel',
      says: [/no worker was started on n4, job \d+: srun says|job \d+ was still pending/],
    })
    await slurm.restore('n4')
  }, 60_000)
})
