// Programs that drive gateways, in odd surroundings of their own.
import { spawnSync } from 'node:child_process'
import { readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { hasNamespaces, titled } from '../testbeds/needs.js'

const index = new URL('../../dist/index.js', import.meta.url)
const noNamespaces = hasNamespaces ? undefined : 'process 1 of a namespace needs root'
const popen = `popen//python=${anyInterpreter().command}`

/** Runs the statements of a program, as `shell` starts it; `popen` and `failure(spec)` are in scope. */
function run(statements: string, shell = 'exec "$@"'): { stdout: string; stderr: string; status: number | null } {
  const program = `
    import { mkdtempSync, rmdirSync } from 'node:fs'
    import { tmpdir } from 'node:os'
    import { join } from 'node:path'
    import { Group } from ${JSON.stringify(index)}
    const group = new Group(), popen = ${JSON.stringify(popen)}
    const failure = (spec) => group.makeGateway(spec).then(() => 'none', (error) => \`\${error.name}: \${error.message}\`)
    ${statements}
    await group.terminate()`
  const words = ['-c', shell, 'sh', process.execPath, '--input-type=module', '-e', program]
  return spawnSync('/bin/sh', words, { encoding: 'utf8', cwd: fileURLToPath(new URL('.', import.meta.url)) })
}

describe.skipIf(process.platform === 'win32')('a program', () => {
  it('whose working directory has been removed opens gateways, and is told why one does not open', () => {
    const { stdout } = run(
      `const folder = mkdtempSync(join(tmpdir(), 'tendril-'))
       process.chdir(folder)
       rmdirSync(folder)
       console.log(await (await group.makeGateway(popen)).eval('6 * 7'))
       for (const words of ['', '-i key ']) console.log(await failure(\`ssh=\${words}-p 1 127.0.0.1//engine=ssh2\`))
       console.log(await failure('vagrant_ssh=no-such-machine'))
       console.log(await failure('ssh=-F no/such/file box'))
       await group.get('gw0').execute({ file: 'code.py' }).catch((error) => console.log(error.name, error.message))`,
    )
    const refused = expect.stringMatching(/^HostNotFoundError: .* 127\.0\.0\.1 port 1 refused the connection/)
    expect(stdout.trimEnd().split('\n')).toEqual([
      '42',
      refused,
      refused,
      expect.stringMatching(/^HostNotFoundError: /),
      expect.stringMatching(/^XSpecError: .*no\/such\/file/),
      expect.stringMatching(/^SourceError cannot read "code\.py".*\. The working directory, from which .* is gone$/),
    ])
  })

  const permission = [...process.allowedNodeEnvironmentFlags].find((flag) =>
    /^--(experimental-)?permission$/.test(flag),
  )
  it.skipIf(permission === undefined)('that may not read what workers are made of gets a BootstrapError', () => {
    const allowed = `${permission} --allow-child-process`
    const readable = [new URL('.', index), new URL('../package.json', index), new URL('../node_modules/', index)]
    const paths = readable.map((url) => `--allow-fs-read=${realpathSync(url)}${url.pathname.endsWith('/') ? '/*' : ''}`)
    const open = 'console.log(await failure(popen)); console.log(await failure(popen + "//chdir=/"))'
    const refused = expect.stringMatching(
      /^BootstrapError: gateway gw\d .*cannot read .*bootstrap\.py.*let this program read it$/,
    )
    const { stdout } = run(open, `node=$1; shift; exec "$node" ${allowed} ${paths.join(' ')} "$@"`)
    expect(stdout.trimEnd().split('\n')).toEqual([refused, refused])
    const all = run(open, `node=$1; shift; exec "$node" ${allowed} '--allow-fs-read=*' "$@"`)
    expect(all.stdout).toBe('none\nnone\n')
    const alone = run(open, `node=$1; shift; exec "$node" ${permission} '--allow-fs-read=*' "$@"`)
    expect(alone.stdout).toMatch(/^(BootstrapError: gateway gw\d .*--allow-child-process.*\n){2}$/)
  })

  it.skipIf(permission === undefined)('that may not read one file of ours is told which by a BootstrapError', () => {
    const ways: Record<string, string> = {
      'worker/place.py': 'group.makeGateway(popen + "//chdir=/")',
      'gateways/carriers/via_remote.py': 'group.makeGateway("popen//via=gw0")',
      'transports/websocket/link.py': 'group.makeGateway("ws=ws://127.0.0.1:1")',
      'transports/dial-home/dial.py': 'group.listen()',
      'features/calls/session.py': 'gateway.eval("6 * 7")',
      'features/copies/tree_reader.py': 'gateway.get("/etc", "/nowhere/copy")',
    }
    const dist = fileURLToPath(new URL('.', index))
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(js|py)$/.test(path))
    const readable = [...files.filter((path) => !(path in ways)).map((path) => join(dist, path))]
    for (const path of ['bootstrap.py', 'package.json', 'node_modules/'])
      readable.push(`${realpathSync(new URL(`../${path}`, index))}${path.endsWith('/') ? '/*' : ''}`)
    const paths = readable.map((path) => `--allow-fs-read=${path}`)
    const open = Object.values(ways).map((way) => `await told(() => ${way})`)
    const { stdout } = run(
      `const told = (act) => Promise.resolve().then(act).then(() => console.log('none'), (error) => console.log(error.name, error.message))
       process.env.TENDRIL_TOKEN = 'x'.repeat(32)
       const gateway = await group.makeGateway(popen + '//id=gw0')
       ${open.join('\n')}`,
      `node=$1; shift; exec "$node" ${permission} --allow-child-process --allow-fs-read=/nowhere/* ${paths.join(' ')} "$@"`,
    )
    expect(stdout.trimEnd().split('\n')).toEqual(
      Object.keys(ways).map((path) =>
        expect.stringMatching(`^BootstrapError .*cannot read .*${path}, which is a part of`),
      ),
    )
  })

  it('whose stdout nobody reads, or cannot be written, goes on, whatever workers print', () => {
    const print = `
      const gateway = await group.makeGateway(popen)
      await gateway.remoteExec('for i in range(10000): print("line %d" % i)').waitClose()
      console.error(await gateway.eval('6 * 7'))`
    const ends = ['| true', '> /dev/full', '> /dev/null']
    const told = ends.map((end) => run(print, `"$@" ${end}`).stderr)
    expect(told).toEqual(ends.map(() => '42\n'))
  })

  it('whose timers are numbers, as those of a browser, opens gateways, waits and ends', () => {
    const numbers = 'const real = setTimeout; globalThis.setTimeout = (...words) => Number(real(...words))'
    const { stdout, stderr } = run(
      `const gateway = await group.makeGateway(popen)
       console.log(typeof setTimeout(() => {}, 1), await gateway.eval('6 * 7', {}, { timeout: 60_000 }))
       await gateway.call('time.sleep', [3600], {}, { timeout: 10 }).catch((error) => console.log(error.name))`,
      `node=$1; shift; exec "$node" --import 'data:text/javascript,${encodeURIComponent(numbers)}' "$@"`,
    )
    expect([stdout, stderr]).toEqual(['number 42\nTimeoutError\n', ''])
  })

  const canForbid = process.allowedNodeEnvironmentFlags.has('--experimental-require-module')
  it.skipIf(!canForbid)('that may not require modules of its kind sends a URL, and gets it back', () => {
    const { stdout } = run(
      `const url = new URL('https://example.org/a?b')
       const back = await (await group.makeGateway(popen)).remoteExec('channel.send(url)', { url }).receive()
       console.log(back instanceof URL, String(back))`,
      'node=$1; shift; exec "$node" --no-experimental-require-module "$@"',
    )
    expect(stdout).toBe('true https://example.org/a?b\n')
  })

  const python = anyInterpreter().command
  it.skipIf(noNamespaces).each([
    ['popen', [popen, popen, 'popen//via=gw0']],
    ['command', [`command=env//python=${python}`, `command=env {python}//python=${python}`]],
    ['su', [`su=root//python=${python}`]],
    ['chroot', [`chroot=///python=${python}`, popen]],
  ])(titled('that is process 1 says once what becomes of guards, of %s', noNamespaces), (_, specs) => {
    const { stdout, stderr } = run(
      `for (const spec of ${JSON.stringify(specs)}) console.log(await (await group.makeGateway(spec)).eval('1'))`,
      'exec unshare --pid --fork --mount-proc "$@"',
    )
    expect(stdout).toBe('1\n'.repeat(specs.length))
    expect(stderr).toMatch(/^tendril: this program is process 1\b.*--init\n$/)
  })

  it.skipIf(noNamespaces)(titled('that is process 1 says nothing of a worker elsewhere', noNamespaces), () => {
    const away = `command=unshare --pid --fork --mount-proc sh -c "true; true & wait; exec {python}"//python=${python}`
    const { stdout, stderr } = run(
      `console.log(await (await group.makeGateway(${JSON.stringify(away)})).eval('__import__("os").getpid()'))`,
      'exec unshare --pid --fork --mount-proc "$@"',
    )
    expect([stdout, stderr]).toEqual(['1\n', ''])
  })
})
