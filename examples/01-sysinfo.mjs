// Asks several Pythons what they are, all at the same time, and prints a table.
//
//   node examples/01-sysinfo.mjs
//   node examples/01-sysinfo.mjs --tx 2*popen --tx popen//python=python3.12//id=new
//
// Exit code: 0 all answered, 2 the command line is wrong, 3 a gateway did not come to life or failed.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BootstrapError, Group, MultiChannel, XSpec } from 'tendril'

const sysinfo = { file: fileURLToPath(new URL('sysinfo.py', import.meta.url)) }

async function main(group) {
  const { values } = parseArgs({ options: { tx: { type: 'string', multiple: true, default: ['3*popen'] } } })
  const specs = values.tx.flatMap((text) => XSpec.expand(text)).map((text) => XSpec.parse(text))

  // Nobody waits here: each interpreter gets tendril's worker and sysinfo.py in one write, while it is still starting.
  const began = performance.now()
  const failures = []
  const channels = specs.flatMap((spec) => {
    try {
      return [group.launchGateway(spec).remoteExec(sysinfo)]
    } catch (error) {
      if (!(error instanceof BootstrapError)) throw error // an XSpecError: the command line is wrong
      failures.push(error.message) // known at once: there is no Python on PATH
      return []
    }
  })

  // One queue for the answers of all channels, in the order in which they come.
  const rows = []
  for await (const [{ gateway }, info] of new MultiChannel(channels).makeReceiveQueue()) {
    const { host, python, implementation, pid, executable } = info
    rows.push([gateway.id, host, python, implementation, pid, executable, (performance.now() - began).toFixed(0)])
  }
  // A channel that failed had nothing to give to the queue: it says here why.
  for (const channel of channels) await channel.waitClose().catch((error) => failures.push(error.message))

  const header = ['gateway', 'host', 'python', 'implementation', 'pid', 'executable', 'ms']
  if (rows.length > 0) printTable([header, ...rows])
  for (const message of new Set(failures)) console.error(message)
  return failures.length === 0 ? 0 : 3
}

function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)))
  const textOf = (row) => row.map((cell, column) => String(cell).padEnd(widths[column])).join('  ')
  for (const row of rows) console.log(textOf(row).trimEnd())
}

const group = new Group()
try {
  process.exitCode = await main(group)
} catch (error) {
  console.error(error.message)
  process.exitCode = 2
} finally {
  await group.terminate()
}
