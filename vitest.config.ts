// `vitest run` runs everything. `vitest run --mode fast` runs what most changes break, on one Python, in under a minute.
import { defineConfig } from 'vitest/config'
import { Interleaved } from './test/interleaved.js'

/** The fast tier: protocol with its codec, channels, calls, and the conformance suite of local processes. */
export const fast = [
  'test/layers.test.ts',
  'test/test-files.test.ts',
  'test/protocol/**/*.test.ts',
  'test/channels/**/*.test.ts',
  'test/calls/**/*.test.ts',
  'test/gateways/popen.test.ts',
]

export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'fast' ? fast : ['test/**/*.test.ts'],
    // test/interpreters.ts reads it.
    env: mode === 'fast' ? { TENDRIL_ONE_PYTHON: '1' } : {},
    // What hangs, hangs for ever: a machine that is busy with other things, or under `nice`, takes twenty times as long as one at rest.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000 } },
    pool: 'forks',
    // Half of the files wait most of their time: four at once keep two processors busy.
    maxWorkers: 4,
    sequence: { sequencer: Interleaved },
    reporters: ['default'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
  },
}))
