// `npm run bench`: tendril beside execnet and the raw pipe, on the same interpreter, in the same run. Every side of every
// work runs in a process of its own, in turns (raw, tendril, execnet, raw, …), so that what else the machine does meets
// all of them; the table shows medians over the rounds. Options: --only WORK[,WORK], --rounds N, --python PATH. Works of
// one family go by what their names begin with: --only ssh.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openBed } from './beds.mjs'
import { median } from './figures.mjs'
import { works } from './works.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const EXECNET = 'execnet==2.1.2'
const SIDES = ['raw', 'tendril', 'execnet']
const TIMEOUT_MS = 600_000

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, rounds: { type: 'string', default: '5' }, python: { type: 'string' } },
})
const python = findPython()
const execnet = prepareExecnet()
const rpyc = findRpyc()
const started = performance.now()
const load = loadavg()[0]
const rows = []
console.log(`node ${process.version}, ${python}, ${availableParallelism()} cores of ${cpus()[0]?.model ?? 'unknown'}`)
if (load > 0.5)
  console.log(`this machine is busy (load ${load.toFixed(1)}): rows that two cores share are worse than they are`)
if (execnet.missing !== undefined) console.log(`no execnet: ${execnet.missing}`)
if (rpyc.missing !== undefined) console.log(`no RPyC: ${rpyc.missing}`)
console.log(line(['', 'tendril', 'execnet', 'raw', '× execnet', '× raw', 'bar', '']))
for (const work of chosenWorks()) {
  const figures = await measureInTurns(work)
  for (const row of work.rows) {
    rows.push(judge(work, row, figures))
    console.log(format(rows.at(-1)))
  }
}
report()

function chosenWorks() {
  const names = options.only?.split(',')
  const isMeant = (work, name) => work.name === name || work.name.startsWith(`${name}-`)
  const unknown = names?.filter((name) => !works.some((work) => isMeant(work, name))) ?? []
  if (unknown.length > 0) fail(`no work ${unknown.join(', ')}: there are ${works.map(({ name }) => name).join(', ')}`)
  return works.filter((work) => names === undefined || names.some((name) => isMeant(work, name)))
}

/** Who is compared with: execnet, unless a work says another one. */
function rivalOf(work) {
  return work.rival === 'rpyc' ? rpyc : execnet
}

/** All figures of a work: for each side the figures of every round, and what went wrong. */
async function measureInTurns(work) {
  const figures = Object.fromEntries(SIDES.map((side) => [side, { rounds: [], error: undefined }]))
  if (work.raw === undefined) figures.raw.error = 'does not apply'
  figures.execnet.error = work.isOurs ? 'does not apply' : rivalOf(work).missing
  const bed = await openBed(work.bed)
  if (bed.missing !== undefined) {
    console.error(`${work.name}: ${bed.missing}`)
    for (const side of SIDES) figures[side].error = bed.missing
  }
  for (let round = 0; round < Math.min(Number(options.rounds), work.rounds ?? Infinity); round++) {
    for (const side of SIDES.filter((each) => figures[each].error === undefined)) {
      try {
        figures[side].rounds.push(await measure(side, work, bed))
      } catch (error) {
        figures[side].error = error.message
        console.error(`${work.name}, ${side}: ${error.message}`)
      }
    }
  }
  await bed.stop()
  return figures
}

function measure(side, work, { target = {}, prefix = [] }) {
  const command =
    side === 'execnet'
      ? [
          rivalOf(work).python,
          join(here, `${work.rival ?? 'execnet'}_peer.py`),
          work.name,
          python,
          JSON.stringify(target),
        ]
      : [process.execPath, '--expose-gc', join(here, 'measure.mjs'), side, work.name, python, JSON.stringify(target)]
  return jsonOf([...prefix, ...(work.isPinned ? ['taskset', '-c', firstCore()] : []), ...command])
}

/** What a process prints, as JSON. It leads a group, so that what it leaves behind is ended with it. */
function jsonOf([command, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), TIMEOUT_MS)
    child.on('error', reject)
    child.on('exit', () => endGroup(child.pid))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve(JSON.parse(stdout.trim().split('\n').at(-1)))
      else reject(new Error(`ended with ${code ?? signal}: ${stderr.trim().split('\n').slice(-12).join('\n')}`))
    })
  })
}

function endGroup(leader) {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // nobody is left
  }
}

/** One row of the table. A row may be compared with another figure of the other sides: `peer`. */
function judge(work, { key, title, unit, bar = {}, peer = key }, figures) {
  const of = (side, name) => {
    const all = figures[side].rounds.map((round) => round[name]).filter((figure) => figure !== undefined)
    return all.length > 0 ? median(all) : undefined
  }
  const row = {
    work: work.name,
    key,
    title,
    unit,
    tendril: of('tendril', key),
    execnet: of('execnet', peer),
    raw: of('raw', peer),
  }
  return {
    ...row,
    rival: work.rival ?? 'execnet',
    bar,
    ok: verdict(row, bar),
    rounds: figures.tendril.rounds.map((round) => round[key]),
  }
}

/** True, false, or undefined when a bar could not be told. A row without a bar is for information. */
function verdict({ tendril, execnet: other, raw }, bar) {
  if (tendril === undefined) return false
  const claims = [
    bar.execnet === undefined ? true : other && other / tendril >= bar.execnet,
    bar.raw === undefined ? true : raw && tendril / raw <= bar.raw,
    bar.overRaw === undefined ? true : raw && tendril - raw <= bar.overRaw,
    bar.underExecnet === undefined ? true : other && other - tendril >= bar.underExecnet,
    bar.atMost === undefined ? true : tendril <= bar.atMost,
  ]
  if (claims.includes(false)) return false
  return claims.every((claim) => claim === true) ? true : undefined
}

function format({ title, unit, tendril, execnet: other, raw, rival, bar, ok }) {
  const hasBar = Object.keys(bar).length > 0
  const texts = {
    execnet: (n) => `≥ ${n}× ${rival}`,
    raw: (n) => `≤ ${n}× raw`,
    overRaw: (n) => `≤ raw + ${n} ${unit}`,
    underExecnet: (n) => `≤ execnet - ${n} ${unit}`,
    atMost: (n) => `≤ ${unit === 'n^' ? `n^${n}` : `${n} ${unit}`}`,
  }
  return line([
    title,
    figure(tendril, unit),
    figure(other, unit),
    figure(raw, unit),
    tendril > 0 && other !== undefined ? `${(other / tendril).toFixed(1)}×` : '',
    tendril > 0 && raw !== undefined ? `${(tendril / raw).toFixed(1)}×` : '',
    Object.entries(bar)
      .map(([name, n]) => texts[name](n).trim())
      .join(', '),
    !hasBar && tendril !== undefined ? '' : ok === undefined ? '?' : ok ? 'ok' : 'MISS',
  ])
}

function figure(value, unit) {
  if (value === undefined) return '—'
  if (unit === 'n^') return `n^${value.toFixed(2)}`
  const digits = unit === '' ? 0 : Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0
  return `${value.toFixed(digits)} ${unit}`.trim()
}

function line([title, ...cells]) {
  const widths = [10, 10, 10, 10, 8]
  const padded = cells.slice(0, 5).map((cell, i) => cell.padStart(widths[i]))
  return `${title.padEnd(52)}${padded.join('')}  ${cells[5].padEnd(28)}${cells[6]}`.trimEnd()
}

function report() {
  const seconds = (performance.now() - started) / 1e3
  const barred = rows.filter(({ bar }) => Object.keys(bar).length > 0)
  const file = join(here, 'results.json')
  const machine = { node: process.version, python, cores: availableParallelism(), model: cpus()[0]?.model, load }
  writeFileSync(file, `${JSON.stringify({ date: new Date().toISOString(), machine, seconds, rows }, null, 2)}\n`)
  const missed = barred.filter(({ ok }) => ok === false).length
  const unknown = barred.filter(({ ok }) => ok === undefined).length
  console.log(
    `${barred.length - missed - unknown} of ${barred.length} bars met, ${missed} missed, ${unknown} not told; ${seconds.toFixed(0)} s; bench/results.json`,
  )
}

/** The interpreter itself: a shim would cost all sides a shell at every start. */
function findPython() {
  const names = options.python === undefined ? ['python3', 'python'] : [options.python]
  const source =
    'import sys, platform; assert sys.version_info >= (3, 8); print(platform.python_implementation() + " " + sys.executable)'
  for (const name of names) {
    const { stdout } = spawnSync(name, ['-c', source], { encoding: 'utf8' })
    const [implementation, path] = (stdout ?? '').trim().split(/ (.*)/s)
    if (implementation === 'CPython' || (options.python !== undefined && path)) return path
  }
  return fail(`no CPython from 3.8 on as ${names.join(' or ')}; name one with --python PATH`)
}

/** execnet in a virtual environment of that interpreter, made once. */
function prepareExecnet() {
  const folder = join(here, '.venv')
  const inside = join(folder, 'bin', 'python')
  const made = join(folder, 'made-by')
  if (existsSync(made) && readFileSync(made, 'utf8') === python) return { python: inside }
  rmSync(folder, { recursive: true, force: true })
  for (const [command, ...args] of [
    [python, '-m', 'venv', folder],
    [inside, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', EXECNET],
  ]) {
    const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
    if (status !== 0)
      return { missing: `${args.slice(0, 3).join(' ')} failed: ${error?.message ?? stderr.trim().split('\n').at(-1)}` }
  }
  writeFileSync(made, python)
  return { python: inside }
}

/** An interpreter that has RPyC: this one, or the system's, for which there is Debian's python3-rpyc. */
function findRpyc() {
  const found = [python, '/usr/bin/python3'].find((each) => spawnSync(each, ['-c', 'import rpyc']).status === 0)
  return found === undefined
    ? { missing: 'no interpreter here can import it; install python3-rpyc' }
    : { python: found }
}

/** The first core that this process may run on. */
function firstCore() {
  return /^Cpus_allowed_list:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
