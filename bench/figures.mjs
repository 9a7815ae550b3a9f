// How figures are taken: times, medians, and what Linux says of a process in /proc.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const KIB_PER_MIB = 1024

export function median(figures) {
  const sorted = [...figures].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Milliseconds that `run` takes. A function that it returns is called afterwards, off the clock. */
export async function timed(run) {
  const start = performance.now()
  const cleanUp = await run()
  const ms = performance.now() - start
  await cleanUp?.()
  return ms
}

/** @returns A promise of `value` in `ms` milliseconds. */
export function passed(ms, value) {
  return new Promise((resolve) => setTimeout(resolve, ms, value))
}

export function residentMib(pid) {
  return statusOf(pid, 'VmRSS') / KIB_PER_MIB
}

/** What a worker and the guard beside it hold together, shared pages shared out: all processes of its session. */
export function sessionPssMib(leader) {
  const kib = sessionPids([leader]).map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]),
  )
  return kib.reduce((sum, each) => sum + each, 0) / KIB_PER_MIB
}

/** The processes of sessions. */
export function sessionPids(leaders) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && leaders.includes(sessionOf(name)))
  return pids.map(Number)
}

/** By how much the processes exceeded, at their highest while `run` ran, what they held before; in MiB. */
export async function peakGrowth(pids, run) {
  const before = mapValues(pids, (pid) => {
    writeFileSync(`/proc/${pid}/clear_refs`, '5') // the high-water mark begins anew
    return residentMib(pid)
  })
  await run()
  return mapValues(pids, (pid, name) => statusOf(pid, 'VmHWM') / KIB_PER_MIB - before[name])
}

/** What a gateway holds on both sides when it has come to rest. */
export async function snapshot(gateway, pid) {
  await passed(300)
  globalThis.gc?.()
  return {
    workerMib: residentMib(pid),
    controllerMib: residentMib(process.pid),
    heapMib: process.memoryUsage().heapUsed / 2 ** 20,
    threads: statusOf(pid, 'Threads'),
    workerFds: readdirSync(`/proc/${pid}/fd`).length,
    controllerFds: readdirSync(`/proc/self/fd`).length,
    channels: (await gateway.remoteStatus()).numChannels,
  }
}

export function growth(before, after) {
  return mapValues(after, (figure, name) => figure - before[name])
}

function statusOf(pid, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

function sessionOf(pid) {
  try {
    // pid (command) state ppid pgrp session …; a command may hold anything, so count from its end.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[3])
  } catch {
    return undefined // it has ended
  }
}

function mapValues(object, map) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value, name)]))
}
