// The end of a program that leads somewhere is put into words from all it said.
import { expect, it } from 'vitest'
import { openExplained } from '../../src/transports/explained.js'
import { openProcess } from '../../src/transports/process.js'
import type { Transport, TransportEnd } from '../../src/transports/transport.js'

function run(script: string, use: (transport: Transport) => void = () => undefined): Promise<TransportEnd> {
  const transport = openExplained(openProcess(['sh', '-c', script]), {
    address: 'somewhere',
    explain: (_, said) => (/no such/.test(said) ? new Error(said) : undefined),
  })
  expect(transport.remoteAddress).toBe('somewhere')
  return new Promise((resolve) => {
    transport.start({
      onChunk: () => use(transport),
      onStderr: () => undefined,
      onDrain: () => undefined,
      onEnd: resolve,
    })
  })
}

it('is what it said on either stream', async () => {
  expect(await run('echo no such place >&2; exit 1')).toMatchObject({
    exitCode: 1,
    error: { message: 'no such place\n' },
  })
  expect(await run('echo no such place; exit 1')).toMatchObject({ error: { message: 'no such place\n' } })
})

it('is the end itself where that speaks for itself, with the signal that its exit code stands for', async () => {
  expect(await run('exit 3')).toEqual({ exitCode: 3, signal: undefined, error: undefined })
  expect(await run('exit 137')).toMatchObject({ exitCode: 137, signal: 'SIGKILL' })
})

it('is our doing when the program leaves in peace because we killed it', async () => {
  const script = 'trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done'
  expect(await run(script, (transport) => transport.kill('SIGTERM'))).toMatchObject({ exitCode: 0, signal: 'SIGTERM' })
})
