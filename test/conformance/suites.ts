/** Everything that a gateway must do, whatever its kind: a new kind adds one call of this to its test. */
import { afterAll, beforeAll, describe } from 'vitest'
import { callbackSuite } from './callbacks.js'
import { channelSuite } from './channels.js'
import { concurrencySuite } from './concurrency.js'
import { endingSuite } from './ending.js'
import { execSuite } from './exec.js'
import { failureSuite } from './failures.js'
import { outputSuite } from './output.js'
import { settingSuite } from './settings.js'
import type { Subject } from './subject.js'
import { valueSuite } from './values.js'
import { workerChannelSuite } from './worker-channels.js'

/** Runs all suites against one subject. */
export function conformanceSuites(subject: Subject): void {
  run(subject, () => {
    waySuites(subject)
    describe('failures', () => failureSuite(subject))
    describe('channels in the worker', () => workerChannelSuite(subject))
    describe('callbacks', () => callbackSuite(subject))
    describe('values', () => valueSuite(subject))
    describe('concurrency', () => concurrencySuite(subject))
  })
}

/**
 * Runs the suites that the way to a worker can break, for a way that is made of ways which pass all suites: its bytes, what is printed,
 * what the worker is started with, and how it ends. What happens inside of the worker is the same there.
 */
export function combinedWaySuites(subject: Subject): void {
  run(subject, () => waySuites(subject))
}

function waySuites(subject: Subject): void {
  describe('code', () => execSuite(subject))
  describe('channels', () => channelSuite(subject))
  describe('output', () => outputSuite(subject))
  describe('settings', () => settingSuite(subject))
  describe('ending', () => endingSuite(subject))
}

function run(subject: Subject, suites: () => void): void {
  describe(subject.name, () => {
    beforeAll(() => subject.start())
    afterAll(() => subject.stop())
    suites()
  })
}
