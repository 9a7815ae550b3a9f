// Two workers at most: nearly every test starts interpreters, which are what the machine is busy with.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Thousands of processes on a machine that others use, too: one that stalls is no fault. A test that needs it is marked in the report.
    retry: process.env.CI === undefined ? 0 : 1,
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
  },
})
