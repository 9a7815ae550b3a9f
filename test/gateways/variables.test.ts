// Variables of a spec where a command line leads to the worker: it carries none that may be a secret, and they are there all the same.
import { describe, expect, it } from 'vitest'
import { isReadAtStart } from '../../src/gateways/variables.js'
import { Group } from '../../src/index.js'
import { anyInterpreter, chosenInterpreters } from '../interpreters.js'

const seen = `
import os, subprocess, sys
lines = []
pid = os.getpid()
while pid > 1:
    lines.append(open('/proc/%d/cmdline' % pid, 'rb').read())
    pid = int(open('/proc/%d/stat' % pid).read().rsplit(')', 1)[1].split()[1])
child = subprocess.Popen([sys.executable, '-c', 'import os; print(os.environ["DB_PASSWORD"] == os.environ["OTHER"])'], stdout=subprocess.PIPE)
heard = child.communicate()[0].strip() == b'True'
channel.send([b'gehe\\xc3\\xafm' in b''.join(lines), os.environ['DB_PASSWORD'] == os.environ['OTHER'] != '', heard, os.environ['LC_TENDRIL']])
`

describe.skipIf(process.platform !== 'linux')('variables of a spec', () => {
  it.each(chosenInterpreters())(
    'that no command line is to carry are set by the worker on $name',
    async ({ command }) => {
      await using group = new Group()
      const variables = 'env:DB_PASSWORD=geheïm $x//env:OTHER=geheïm $x//env:LC_TENDRIL=early'
      const gateway = await group.makeGateway(`command=env LC_ALL=C {python}//python=${command}//${variables}`)
      expect(await gateway.remoteExec(seen).receive()).toEqual([false, true, true, 'early'])
    },
  )

  it('stand in no error and in no report', async () => {
    await using group = new Group()
    for (const way of ['popen', 'command=env']) {
      const opening = group.makeGateway(`${way}//env:DB_PASSWORD=hunter2//python=/no/such`)
      await expect(opening).rejects.toSatisfy(
        (error: Error) => !JSON.stringify([error, error.message]).includes('hunter2'),
      )
    }
  })

  it('reach the worker together with a folder that it works in', async () => {
    await using group = new Group()
    const gateway = await group.makeGateway(
      `command=env {python}//python=${anyInterpreter().command}//chdir=/tmp//env:A=${'x'.repeat(200_000)}`,
    )
    expect(await gateway.eval('[__import__("os").getcwd(), len(__import__("os").environ["A"])]')).toEqual([
      '/tmp',
      200_000,
    ])
  })

  it.each([
    ['PATH', true],
    ['PYTHONPATH', true],
    ['LD_LIBRARY_PATH', true],
    ['OMP_NUM_THREADS', true],
    ['VIRTUAL_ENV', true],
    ['VIRTUAL_ENV_SECRET', false],
    ['MY_PATH', false],
    ['TOKEN', false],
  ])('%s: whether it is read at the start is %s', (name, expected) => {
    expect(isReadAtStart(name)).toBe(expected)
  })
})
