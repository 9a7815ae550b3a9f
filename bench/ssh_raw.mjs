// What the works over SSH are held against beside execnet: OpenSSH's own client with nothing of ours on either side, and
// for many hosts GNU parallel, which runs it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { median, timed } from './figures.mjs'
import { echo } from './raw.mjs'
import { LANES, SSH_MIB } from './ssh_side.mjs'

const ROUND_TRIPS = 2000
const BYTES = SSH_MIB * 1024 * 1024

/** Microseconds of an echo of 16 bytes by Python behind `ssh`. */
export async function sshRoundTrips(python, target) {
  const child = ssh(
    target,
    `${python} -S -c 'import os
while 1: os.write(1, os.read(0, 65536))'`,
  )
  try {
    await echo(child, ROUND_TRIPS)
    const each = ((await timed(() => echo(child, ROUND_TRIPS))) * 1e3) / ROUND_TRIPS
    return { ssh2: each, openssh: each }
  } finally {
    child.kill()
  }
}

/** Milliseconds of `ssh host cat`, from when it runs: the login is not counted. */
export async function sshBytes(_python, target) {
  return {
    toWorker: await medianOf(3, () => upload(target)),
    toController: await medianOf(3, () => download(target)),
  }
}

async function upload(target) {
  const child = ssh(target, `echo ready; head -c ${BYTES} | cat >/dev/null; echo done`)
  await once(child.stdout, 'data')
  const item = Buffer.alloc(BYTES, 'x')
  return timed(async () => {
    child.stdin.write(item)
    await once(child.stdout, 'data')
    return () => child.kill()
  })
}

async function download(target) {
  const child = ssh(target, `echo ready; read answer; head -c ${BYTES} /dev/zero | cat`)
  await once(child.stdout, 'data')
  let left = BYTES
  return timed(async () => {
    child.stdin.write('go\n')
    for await (const chunk of child.stdout) {
      left -= chunk.length
      if (left <= 0) break
    }
    return () => child.kill()
  })
}

/** Milliseconds of `ssh host true`. */
export async function sshFar(_python, target) {
  return { cold: await medianOf(1, () => timed(() => exitOf(ssh(target, 'true')))) }
}

/** Milliseconds of GNU parallel, with as many at a time. */
export async function sshHosts(python, { configFile, hosts }) {
  const task = `${python} -c 'import os; print(os.getpid())'`
  const args = ['--will-cite', '-q', '-j', String(LANES), 'ssh', '-F', configFile, '{}', task, ':::', ...hosts]
  const child = spawn('parallel', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let lines = 0
  child.stdout.on('data', (chunk) => (lines += String(chunk).split('\n').length - 1))
  const all = await timed(() => exitOf(child))
  if (lines !== hosts.length) throw new Error(`${lines} hosts answered`)
  return { all }
}

function ssh({ configFile }, command) {
  return spawn('ssh', ['-F', configFile, 'bed', command], { stdio: ['pipe', 'pipe', 'inherit'] })
}

async function exitOf(child) {
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${child.spawnargs[0]} ended with ${code}`)
}

async function medianOf(times, run) {
  const figures = []
  for (let i = 0; i < times; i++) figures.push(await run())
  return median(figures)
}
