// A gateway behind a gateway, what remote code prints, and how gateways end.
import { Group } from 'tendril'

// Lines that remote code prints come here; without onOutput they are printed with the gateway's name before them.
const printed = []
const onOutput = ({ gateway, stream, text }) => void printed.push(`[${gateway}] ${stream}: ${text}`)

const group = new Group({ onOutput })
try {
  // `inner` is started by `outer`, on outer's machine, and talks through it. Here both are on this machine;
  // behind a host that can be reached only through another, this is the way in.
  const outer = group.launchGateway('popen//id=outer')
  const inner = group.launchGateway('popen//via=outer//id=inner')

  const parent = outer.remoteExec('import os; channel.send(os.getpid())')
  const child = inner.remoteExec('import os; channel.send(os.getppid())')
  console.log(`inner is a child of outer: ${(await parent.receive()) === (await child.receive())}`)
  console.log(`inner is reached through: ${inner.remoteAddress}`)

  // Output of Python, of C code and of child processes is captured, and never mixes with the protocol.
  const talk = inner.remoteExec(`
    import subprocess, sys
    print('printed by Python')
    sys.stdout.flush()
    subprocess.check_call(['echo', 'printed by a child process'])
    sys.stderr.write('a warning\\n')
  `)
  await talk.waitClose() // what code printed has arrived when its channel has closed
  for (const line of printed) console.log(line)

  // This task will not leave, whatever it is told. Python's `except:` catches even KeyboardInterrupt.
  const stubborn = inner.remoteExec(`
    import time
    channel.send('you will have to kill me')
    while True:
        try: time.sleep(60)
        except: pass
  `)
  console.log(await stubborn.receive())

  // One second to leave in peace, then the worker and all that it started are killed; carriers end last.
  const report = await group.terminate({ timeout: 1000 })
  console.log(`killed: ${report.killed.map(({ gateway, signal }) => `${gateway} by ${signal}`).join(', ')}`)
  console.log(`outer: ${(await outer.closed).reason}, inner: ${(await inner.closed).reason}`)
} finally {
  await group.terminate()
}
