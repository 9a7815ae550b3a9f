// The conformance suite through a carrier, and what is the carrier's own.
import { describe, expect, it } from 'vitest'
import { BootstrapError, GatewayClosedError, Group, XSpecError } from '../../src/index.js'
import { Subject, via } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { Mark, notGoneWithin } from '../processes.js'

const carried = [anyInterpreter(), findInterpreter('CPython 2.7'), findInterpreter('PyPy')]
for (const interpreter of carried)
  if (interpreter !== undefined) conformanceSuites(new Subject('via', interpreter, via))

const python = `python=${anyInterpreter().command}`

describe('via', () => {
  it('starts the worker as a child of the carrier', async () => {
    await using group = await Group.open([`popen//id=carrier//${python}`, 'popen//via=carrier//id=sub'])
    const [carrier, sub] = [await group.get('carrier').info(), group.get('sub')]
    expect(await sub.remoteExec('import os; channel.send(os.getppid())').receive()).toBe(carrier.pid)
    expect((await sub.info()).executable).toBe(carrier.executable)
    expect(sub.remoteAddress).toBe('carrier')
  })

  it('carries a gateway that carries another', async () => {
    await using group = await Group.open([`popen//via=b//id=c`, 'popen//via=a//id=b', `popen//id=a//${python}`])
    expect(await group.get('c').remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('ends its channels with an error within a second when the worker or the carrier is killed', async () => {
    await using group = await Group.open([`popen//id=carrier//${python}`, '2*popen//via=carrier'])
    const [carrier, first, second] = [...group]
    const waiting = [first, second].map((gateway) => gateway!.remoteExec('channel.receive()'))
    process.kill((await first!.info()).pid, 'SIGKILL')
    await expect(waiting[0]!.receive({ timeout: 1000 })).rejects.toMatchObject({
      code: 'ERR_GATEWAY_CLOSED',
      signal: 'SIGKILL',
    })
    process.kill((await carrier!.info()).pid, 'SIGKILL')
    await expect(waiting[1]!.receive({ timeout: 1000 })).rejects.toThrow(GatewayClosedError)
    await expect(carrier!.closed).resolves.toMatchObject({ signal: 'SIGKILL' })
  })

  it('leaves nothing of a carried worker when the carrier is killed', async () => {
    const mark = new Mark()
    await using group = await Group.open([`popen//id=carrier//${python}`, `popen//via=carrier//${mark.key}`])
    group.get(1).remoteExec('import re; re.match("(a+)+$", "a" * 40 + "b")')
    process.kill((await group.get('carrier').info()).pid, 'SIGKILL')
    expect(await notGoneWithin(2000, mark.pids)).toEqual([])
  })

  it('terminates the carried before the carriers', async () => {
    const group = await Group.open([`popen//id=carrier//${python}`, '2*popen//via=carrier'])
    const order: string[] = []
    const all = [...group].map((gateway) => gateway.closed.then(() => order.push(gateway.id)))
    expect((await group.terminate()).killed).toEqual([])
    await Promise.all(all)
    expect(order.at(-1)).toBe('carrier')
  })

  it('names an interpreter that is missing on the carrier', async () => {
    await using group = await Group.open([`popen//id=carrier//${python}`])
    const opening = group.makeGateway('popen//via=carrier//python=/nowhere/python3')
    await expect(opening).rejects.toThrow(BootstrapError)
    await expect(opening).rejects.toThrow('"/nowhere/python3" does not exist')
    expect(await group.get('carrier').remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('refuses a carrier that there is not, and a kind that cannot be carried', async () => {
    await using group = new Group()
    await expect(group.makeGateway('popen//via=nobody')).rejects.toThrow(XSpecError)
    await expect(group.makeGateway('popen//via=nobody')).rejects.toThrow('nobody')
    expect(group.size).toBe(0)
  })
})
