// What can go wrong, and what you are told: every error has a class, a stable `code` and a message of one line.
import { fileURLToPath } from 'node:url'
import { DumpError, GatewayClosedError, makeGateway, RemoteError, TimeoutError } from 'tendril'

const broken = fileURLToPath(new URL('broken.py', import.meta.url))

/** Runs what is to fail and returns the error, which must be of that class. */
async function failureOf(errorClass, run) {
  try {
    await run()
  } catch (error) {
    if (error instanceof errorClass) return error
    throw error
  }
  throw new Error(`expected a ${errorClass.name}`)
}

const gateway = await makeGateway('popen//id=lab')
try {
  // 1. Python raised. Items that came before are still there; then every receive rejects with the same failure.
  const rows = { anne: [3, 4], bob: [] }
  const channel = gateway.remoteExec({ file: broken, function: 'report' }, { rows })
  console.log(await channel.receive())
  const remote = await failureOf(RemoteError, () => channel.receive())
  console.log(`${remote.code}: ${remote.message}`)
  for (const { file, line, name, text } of remote.frames) {
    if (file === broken) console.log(`  broken.py:${line} in ${name}: ${text}`)
  }
  console.log(remote.traceback.split('\n')[0]) // Python's own text, whole

  // 2. A value that cannot be sent: nothing left this process, and the channel stays usable.
  const echo = gateway.remoteExec('for item in channel: channel.send(item)')
  const users = [{ name: 'anne' }, { name: 'bob', secret: new WeakMap() }]
  const dump = await failureOf(DumpError, () => echo.send({ users }))
  console.log(`${dump.code}: at ${dump.path}`)

  // 3. Nothing came in time. Times are milliseconds; without one, waiting is unlimited.
  const late = await failureOf(TimeoutError, () => echo.receive({ timeout: 50 }))
  console.log(`${late.code}: ${late.message}`)
  await echo.send('still usable')
  console.log(await echo.receive())

  // 4. The worker is killed: everybody who waits learns it at once, and how it ended.
  const doomed = gateway.remoteExec('import os, signal; os.kill(os.getpid(), signal.SIGKILL)')
  const ended = await failureOf(GatewayClosedError, () => doomed.receive())
  console.log(`${ended.code}: ${ended.signal}`)
  console.log((await gateway.closed).reason)
} finally {
  await gateway.terminate()
}
