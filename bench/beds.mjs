// What the works over SSH run on: real servers in scratch folders, those of the tests. A bed that this machine cannot have
// says why, and its works stay without figures.
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { register } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { socketServerFile } from 'tendril'
import { FAR_MS, HOSTS } from './ssh_side.mjs'

register('./typescript_hooks.mjs', import.meta.url)

const { Host } = await import('../test/testbeds/hosts.ts')
const { noHosts, noSshd, program } = await import('../test/testbeds/needs.ts')
const { freePort } = await import('../test/testbeds/server.ts')
const { startSshd } = await import('../test/testbeds/sshd.ts')

// Where run.mjs installs it.
const execnetPython = fileURLToPath(new URL('./.venv/bin/python', import.meta.url))

/** Each gives what the sides need to reach it (`target`), what their command lines begin with (`prefix`), and `stop`. */
const beds = {
  loopback: { missing: noSshd, start: startLoopback },
  far: { missing: noSshd ?? noHosts, start: startFar },
  hosts: { missing: noSshd ?? noHosts, start: startHosts },
  socket: { missing: undefined, start: startSockets },
}

/** Starts the bed of a work; a work on this machine alone needs none. */
export async function openBed(name) {
  if (name === undefined) return { stop: async () => undefined }
  const { missing, start } = beds[name]
  return missing === undefined ? await start() : { missing, stop: async () => undefined }
}

/** One server with the usual limits. */
async function startLoopback() {
  const sshd = await startSshd({ config: ['MaxSessions 10'], clientConfig: ['LogLevel ERROR'] })
  return { target: targetOf(sshd), stop: sshd.stop }
}

/** A server at the end of a slow link. */
async function startFar() {
  const host = await Host.startFarAway(FAR_MS)
  const sshd = await startSshd({ netns: host.netns, address: host.address, port: 22 })
  const stop = async () => {
    await sshd.stop()
    await host.stop()
  }
  return { target: targetOf(sshd), stop }
}

/** Our server, and execnet's where there is one. */
async function startSockets() {
  process.env.TENDRIL_TOKEN = randomBytes(32).toString('hex')
  const ours = spawn('python3', [socketServerFile], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [spec] = await once(createInterface(ours.stdout), 'line')
  const port = await freePort('127.0.0.1')
  const theirs = spawn(execnetPython, ['-m', 'execnet.script.socketserver', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  theirs.on('error', () => undefined)
  await Promise.race([once(theirs.stdout, 'data'), once(theirs, 'close')])
  theirs.stdout.resume()
  const stop = async () => {
    for (const child of [ours, theirs]) child.kill()
    await once(ours, 'exit')
  }
  return { target: { spec, execnet: `socket=127.0.0.1:${port}` }, stop }
}

/** Many loopback addresses and one server behind them, in a network namespace that has nothing but its loopback. */
async function startHosts() {
  const netns = `bench${process.pid}`
  const ip = (...args) => execFileSync(program('ip'), args)
  ip('netns', 'add', netns)
  ip('-n', netns, 'link', 'set', 'lo', 'up')
  const sshd = await startSshd({ netns, address: '0.0.0.0' })
  const known = sshd.hostKeys.map(({ publicKey }) => `[127.0.1.*]:${sshd.port} ${publicKey}\n`)
  writeFileSync(sshd.knownHostsFile, known.join(''))
  const configFile = join(sshd.folder, 'hosts_config')
  const settings = [
    `Port ${sshd.port}`,
    `User ${sshd.user}`,
    `IdentityFile ${sshd.userKey.file}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${sshd.knownHostsFile}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
  ]
  writeFileSync(configFile, `Host 127.0.1.*\n${settings.map((line) => `  ${line}\n`).join('')}`)
  const stop = async () => {
    await sshd.stop()
    ip('netns', 'del', netns)
  }
  const hosts = Array.from({ length: HOSTS }, (_, i) => `127.0.1.${i + 1}`)
  return { target: { configFile, port: sshd.port, hosts }, prefix: ['ip', 'netns', 'exec', netns], stop }
}

function targetOf({ spec, configFile, port }) {
  return { spec, configFile, port }
}
