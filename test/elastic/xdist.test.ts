// The worker half of pytest-xdist, as it is, on a Python that has neither pytest nor execnet: remote code of execnet's runs unchanged.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { newestInterpreter } from '../interpreters.js'
import { noXdist, pythonPackages, titled } from '../testbeds/needs.js'

type Event = [name: string, details: Record<string, unknown>]

const folder = mkdtempSync(join(tmpdir(), 'tendril-xdist-'))
const group = new Group({ onOutput: () => undefined })
afterAll(async () => {
  await group.terminate()
  rmSync(folder, { recursive: true })
})

const tests = `
import multiprocessing, os
def test_passes(): assert os.environ['PYTEST_XDIST_WORKER'] == 'gw7'
def test_fails(): assert [1, 2] == [1, 3]
def test_is_not_run(): raise SystemExit
def test_has_pool(tmp_path):
    with multiprocessing.get_context('fork').Pool(1) as pool: assert pool.map(abs, [-1]) == [1]
`

describe.skipIf(noXdist)(titled("pytest-xdist's worker", noXdist), () => {
  it('collects, runs what it is told, and reports', async () => {
    writeFileSync(join(folder, 'test_some.py'), tests)
    const { command } = newestInterpreter()
    const gateway = await group.makeGateway(
      `popen//python=${command} -I//id=gw7//chdir=${folder}//roots=${pythonPackages}`,
    )
    const channel = gateway.remoteExec<Event>({ file: join(pythonPackages, 'xdist/remote.py') })
    const input = { workerid: 'gw7', testrunuid: 'run', workercount: 1, mainargv: ['pytest'] }
    await channel.send([
      input,
      [folder, '-p', 'xdist.plugin', '-p', 'no:cacheprovider'],
      { basetemp: join(folder, 'tmp') },
      null,
    ])
    const events: Event[] = []
    for await (const [name, details] of channel) {
      events.push([name, details])
      if (name === 'collectionfinish') await channel.send(['runtests', { indices: [0, 1, 3] }])
      if (name === 'runtest_protocol_complete' && details['item_index'] === 1) await channel.send(['shutdown', {}])
    }
    const ids = ['passes', 'fails', 'is_not_run', 'has_pool'].map((name) => `test_some.py::test_${name}`)
    expect(events.find(([name]) => name === 'collectionfinish')?.[1]['ids']).toEqual(ids)
    const reports = events
      .filter(([name]) => name === 'testreport')
      .map(([, { data }]) => data as Record<string, unknown>)
    expect(reports.filter(({ when }) => when === 'call').map(({ nodeid, outcome }) => [nodeid, outcome])).toEqual([
      [ids[0], 'passed'],
      [ids[1], 'failed'],
      [ids[3], 'passed'],
    ])
    expect(JSON.stringify(reports)).toContain('assert [1, 2] == [1, 3]')
    expect(events.at(-1)).toEqual(['workerfinished', { workeroutput: expect.objectContaining({ exitstatus: 1 }) }])
  })
})
