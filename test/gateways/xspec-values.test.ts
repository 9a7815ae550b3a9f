// Specs made of values that nobody has checked, as objects and as templates: whatever is in a value, it is that value, and nothing else.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Group, makeGateway, readSpecs, spec, XSpec, XSpecError, type XSpecObject } from '../../src/index.js'
import { parseTarget } from '../../src/specs/ssh-target.js'
import { propertyOf, xspecKeys } from '../../src/specs/xspec-keys.js'
import { splitWords } from '../../src/transports/shell-words.js'
import { anyInterpreter } from '../interpreters.js'

const python = anyInterpreter().command

/** Texts as forms and databases have them; more often than by chance with what means something in a spec, a shell or a hosts file. */
const texts = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'/:*%,=\'"\\ #;-@\n\ta$(ü🎉'), maxLength: 12 }),
    fc.constantFrom('//', '///', ':', ':/', '://', 'a//', '%2F', '*', '3*popen', '//python=evil', '', ' ', 'a #b'),
  )
  .filter((text) => !text.includes('\0'))
const filled = texts.filter((text) => text !== '')

function holds(title: string, property: fc.IRawProperty<unknown>): void {
  it(title, () => void fc.assert(property, { numRuns: 200, seed: 19 }))
}

/** A spec as its text is read again. */
function again(given: XSpec): XSpec {
  const read = XSpec.parse(String(given))
  expect({ ...read }).toEqual({ ...given })
  return read
}

/** Undefined when it is refused. */
function accepted(make: () => XSpec): XSpec | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof XSpecError) return undefined
    throw error
  }
}

function refusal(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    if (error instanceof XSpecError) return error.message
    throw error
  }
  throw new Error('it was accepted')
}

/** What there is no type for. */
const untyped = (given: unknown): XSpec => XSpec.from(given as XSpecObject)

describe('a value', () => {
  holds(
    'of a variable or a path is all of the text, at every place',
    fc.property(texts, texts, filled, (first, second, path) => {
      const given = { env: { A: first, B: second }, chdir: path, popen: true, sshConfig: path }
      expect(again(XSpec.from(given))).toMatchObject(given)
      const made = spec`popen//env:A=${first}//chdir=${path}//env:B=<${second}>//ssh_config=${path}`
      expect(again(made)).toMatchObject({ ...given, env: { A: first, B: `<${second}>` } })
    }),
  )

  holds(
    'of a key that takes words is one word, and an array is several',
    fc.property(filled, fc.array(filled, { minLength: 1 }), (word, words) => {
      const wordsOf = (made: XSpec): string[] => splitWords(again(made).command ?? '')
      expect(wordsOf(XSpec.from({ command: word }))).toEqual([word])
      expect(wordsOf(XSpec.from({ command: words, nice: 5 }))).toEqual(words)
      expect(wordsOf(spec`command=run ${word} -x=${word}y ${words}//nice=5`)).toEqual([
        'run',
        word,
        `-x=${word}y`,
        ...words,
      ])
    }),
  )

  holds(
    'of a list is one member, and an array is several',
    fc.property(filled, fc.array(filled, { minLength: 1 }), (member, members) => {
      expect(again(XSpec.from({ roots: members, provide: member }))).toMatchObject({
        roots: members,
        provide: [member],
      })
      expect(again(spec`popen//roots=a, ${member},${members},b//id=x`).roots).toEqual(['a', member, ...members, 'b'])
    }),
  )

  holds(
    'that names a host brings no option, no other key and no second word, or is refused',
    fc.property(texts, (host) => {
      for (const make of [() => XSpec.from({ ssh: host }), () => spec`ssh=${host}`, () => spec`ssh=-p 5000 ${host}`]) {
        const made = accepted(make)
        if (made === undefined) continue
        expect(splitWords(again(made).ssh ?? '').at(-1)).toBe(host)
        expect(host).toContain(parseTarget(made.ssh ?? '').host)
        expect(host).not.toMatch(/^-|\s/)
        expect({ ...made, ssh: '' }).toEqual({ ...XSpec.parse('ssh=x'), ssh: '' })
      }
    }),
  )

  it('comes through a hosts file', () => {
    const values = fc.sample(texts, { numRuns: 200, seed: 19 })
    const folder = mkdtempSync(join(tmpdir(), 'tendril-values-'))
    try {
      writeFileSync(join(folder, 'hosts'), values.map((text) => `${spec`popen//env:A=${text}`} # why\n`).join(''))
      expect(readSpecs([`@${folder}/hosts`]).map(({ env }) => env['A'])).toEqual(values)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('arrives at the worker as it is', async () => {
    const values = fc.sample(texts, { numRuns: 60, seed: 19 })
    const env = Object.fromEntries(values.map((text, index) => [`VALUE_${index}`, text]))
    await using group = await Group.open([
      { popen: true, python, env },
      { command: ['env', '{python}'], python, env },
    ])
    const source = 'import os\nfor i in range(count): channel.send(os.environ["VALUE_%d" % i])'
    for (const channel of group.remoteExec(source, { count: values.length })) {
      const arrived: unknown[] = []
      for await (const value of channel) arrived.push(value)
      expect(arrived).toEqual(values)
    }
  })
})

describe('an object', () => {
  it.each([
    [{ ssh: 'web1', env: { GREETING: 'a//b' } }, 'ssh=web1//env:GREETING*=a%2F%2Fb'],
    [{ ssh: ['-p', 5000, 'anne@web1'], dont_write_bytecode: true }, 'ssh=-p 5000 anne@web1//dont_write_bytecode'],
    [{ popen: true, dontWriteBytecode: true, tokenFile: 'a b' }, 'popen//dont_write_bytecode//token_file=a b'],
    [{ popen: true, tls: false, id: undefined, env: { A: undefined } }, 'popen'],
    [{ popen: true, nice: -5, timeout: 1500, threads: 2 }, 'popen//nice=-5//timeout=1500//threads=2'],
    [{ popen: true, timeout: Infinity }, 'popen//timeout=Infinity'],
    [{ popen: true, timeout: Number.MAX_VALUE }, 'popen//timeout=1.7976931348623157e+308'],
    [{ popen: true, timeout: '15s', env: { PORT: 80 } }, 'popen//timeout=15s//env:PORT=80'],
    [{ socket: true, installvia: 'gw0' }, 'socket//installvia=gw0'],
    [{ popen: true, python: ['/opt/my py/python', '-X', 'dev'] }, `popen//python='/opt/my py/python' -X dev`],
    [{ popen: true, python: `/o'hara/python` }, `popen//python='/o'"'"'hara/python'`],
    [{ popen: true, roots: ['./lib', './more'], provide: ['a,b'] }, 'popen//roots=./lib,./more//provide*=a%2Cb'],
    [{ popen: true, tag: ['gpu', 'big'], preload: ['numpy', 'os.path'] }, 'popen//tag=gpu,big//preload=numpy,os.path'],
    [{ popen: true, tag: 'gpu,big' }, 'popen//tag*=gpu%2Cbig'],
    [Object.assign(Object.create(null), { popen: true }), 'popen'],
    [Object.assign(Object.create({ python: 'evil', nope: 1 }), { popen: true }), 'popen'],
    [{ popen: true, env: Object.assign(Object.create({ EVIL: 'x' }), { __proto__: 'y', A: '1' }) }, 'popen//env:A=1'],
    [{ popen: true, env: JSON.parse('{ "__proto__": "x" }') }, 'popen//env:__proto__=x'],
  ])('%o is %s', (given, text) => {
    expect(String(again(XSpec.from(given)))).toBe(text)
  })

  it.each([
    [{ pyhton: 'x' }, 'unknown key "pyhton" in a spec object; did you mean "python"?'],
    [{ 'popen//python': 'x' }, 'unknown key "popen//python"'],
    [{ popen: true, _x: 1 }, 'unknown key "_x"'],
    [{ popen: true, token_file: 'a', tokenFile: 'b' }, 'duplicate key "token_file"'],
    [{}, 'an xspec cannot be empty'],
    [{ popen: 'yes' }, '"popen" takes no value; write popen: true'],
    [{ ssh: '' }, '"ssh" of "an object" was given an empty word'],
    [{ ssh: [] }, 'an array with no members'],
    [{ ssh: '-oProxyCommand=evil' }, 'would be an option'],
    [{ ssh: 'web1 -p 22' }, 'has the host "web1 -p 22"'],
    [{ ssh: 'a b@web1' }, 'names no host'],
    [{ ssh: ['-p', '22', '-x'] }, 'names no host'],
    [{ ssh: ['-o', 'ProxyCommand=evil'] }, 'names no host'],
    [{ ssh: ['web1', '-p', '22'] }, 'the last word of "ssh" in "an object" is not the host'],
    [{ docker: '-it' }, 'would be an option'],
    [{ docker: ['-e', 'A=1', '-it'] }, '"docker=-it" names no container'],
    [{ podman: 'a b' }, 'names no container'],
    [{ kubectl: 'a\tb' }, 'names no pod'],
    [{ sudo: '-x' }, 'names no user'],
    [{ su: 'a b' }, 'names no user'],
    [{ slurm: '-x' }, 'names no partition'],
    [{ popen: true, id: 'a b' }, 'names no id'],
    [{ popen: true, via: '-x' }, 'names no id'],
    [{ popen: true, id: 'a\x1bb' }, '"id=a\\u001bb" names no id'],
    [{ popen: true, id: '' }, '"id=" names no id'],
    [{ su: 'a\u00a0b' }, 'names no user'],
    [{ kubectl: 'x', container: '-c' }, 'names no container'],
    [{ kubectl: 'x', namespace: 'a b' }, 'names no namespace'],
    [{ vagrantSsh: '-x' }, 'names no machine'],
    [{ socket: '-x:80' }, 'names no host'],
    [{ ws: 'ws://a b' }, 'names no host'],
    [{ socket: true, installvia: '-x' }, 'names no id'],
    [{ popen: true, chdir: 'a\0b' }, 'has a NUL character'],
    [{ popen: true, env: { A: 'a\0b' } }, 'has a NUL character'],
    [{ popen: true, env: { A: '\ud800' } }, 'has half of a surrogate pair'],
    [{ popen: true, python: ['python3', '\0'] }, 'has a NUL character'],
    [{ popen: true, chdir: null }, '"chdir" of "an object" was given null'],
    [{ popen: true, chdir: ['a'] }, '"chdir" of "an object" was given an array'],
    [{ popen: true, chdir: true }, 'a value of type boolean'],
    [{ popen: true, env: { A: null } }, '"env:A" of "an object" was given null'],
    [{ popen: true, nice: Number.NaN }, '"nice" of "an object" was given NaN'],
    [{ popen: true, nice: 1.5 }, '"nice" must be a whole number'],
    [{ popen: true, execmodel: 'gevent' }, '"execmodel" must be thread or main_thread_only'],
    [{ popen: true, env: { 'A*': 'x' } }, 'no spec can have a variable "A*"'],
    [{ popen: true, env: { 'A=B': 'x' } }, 'no spec can have a variable "A=B"'],
    [{ popen: true, env: { 'A//python': 'x' } }, 'no spec can have a variable "A//python"'],
    [{ popen: true, env: { '': 'x' } }, 'no spec can have a variable ""'],
    [{ popen: true, env: new Map([['A', '1']]) }, '"env" of a spec is an object of variables'],
    [{ popen: true, env: ['A=1'] }, '"env" of a spec is an object of variables'],
    [{ popen: true, env: 'A=1' }, '"env" of a spec is an object of variables'],
    [null, 'a spec is text, an XSpec or an object of keys, not null'],
    [['popen'], 'not an array'],
    [5, 'not number'],
  ])('%o is refused', (given, message) => {
    expect(refusal(() => untyped(given))).toContain(message)
  })

  it('can be another spec with a key more', () => {
    const given = XSpec.parse('popen//roots=a,b//timeout=3s//env:A=b//dont_write_bytecode')
    expect(XSpec.from({ ...given, id: 'w1' })).toMatchObject({ ...given, id: 'w1' })
  })

  it('has every key in its type, also in camelCase', () => {
    const every: Required<{ [Key in keyof XSpecObject]: 0 }> = {
      ...{ popen: 0, ssh: 0, socket: 0, ws: 0, vagrant_ssh: 0, vagrantSsh: 0, command: 0, docker: 0, podman: 0 },
      ...{ kubectl: 0, namespace: 0, container: 0, context: 0, chroot: 0, sudo: 0, su: 0, slurm: 0, nodes: 0 },
      ...{ time: 0, slurm_options: 0, slurmOptions: 0, home: 0, via: 0, token_file: 0, tokenFile: 0, tls: 0, ca: 0 },
      ...{ fingerprint: 0, insecure: 0, installvia: 0, engine: 0, ssh_config: 0, sshConfig: 0, id: 0, python: 0 },
      ...{ chdir: 0, nice: 0, execmodel: 0, threads: 0, dont_write_bytecode: 0, dontWriteBytecode: 0, timeout: 0 },
      ...{ roots: 0, provide: 0, tag: 0, preload: 0, env: 0 },
    }
    const names = new Set([...xspecKeys.keys()].flatMap((key) => [key, propertyOf(key)]))
    expect(Object.keys(every).sort()).toEqual([...names, 'env'].sort())
  })
})

it('leaves what is told of it on one line, whatever it has', () => {
  const value = 'a\nb\x1b[31m\x9b'
  for (const key of xspecKeys.keys()) {
    for (const make of [
      () => XSpec.from({ [key]: value, nice: 'x' } as unknown as XSpecObject),
      () => XSpec.parse(`${key}=${value}//nice=x`),
      () => XSpec.parse(`popen//${key}${value}`),
    ])
      expect(refusal(make)).toMatch(/^\P{Cc}+$/u)
  }
  expect(XSpec.parse(`popen//env:A${value}=1`).shown).toBe('popen//env:Aa\\nb\\x1b[31m\\x9b=…')
})

describe('a template', () => {
  const host = 'web1'
  it.each([
    [spec`ssh=${host}//env:GREETING=${'a//b'}`, 'ssh=web1//env:GREETING*=a%2F%2Fb'],
    [spec`ssh=-p ${5000} -i ${'/my keys/id'} ${'anne'}@${host}`, `ssh=-p 5000 -i '/my keys/id' anne@web1`],
    [spec`ssh=${host} -i ${'/my keys/id'}`, `ssh=web1 -i '/my keys/id'`],
    [spec`ssh=${['-p', '5000', host]}//nice=${5}`, 'ssh=-p 5000 web1//nice=5'],
    [spec`ws=wss://${host}/path`, 'ws=wss://web1/path'],
    [spec`popen//chdir=${'a'}/${'b'}///id=${'x'}`, 'popen//chdir=a/b///id=x'],
    [spec`popen//chdir=/${'/b'}`, 'popen//chdir*=%2F%2Fb'],
    [spec`popen//chdir=${'a:'}//id=x`, 'popen//chdir*=a%3A//id=x'],
    [spec`popen//env:A*=%2F${'/%2F'}`, 'popen//env:A*=%2F%2F%252F'],
    [spec`${3}*popen//env:A=${1n}`, '3*popen//env:A=1'],
    [spec`2*popen//env:A=${'3*'}`, '2*popen//env:A=3*'],
    [spec`popen`, 'popen'],
  ])('%s is %s', (made, text) => {
    expect(String(again(made))).toBe(text)
  })

  it.each([
    [() => spec`popen//${'python'}=x`, ' stands for values, behind "=", and not for keys, in "popen//…=x"'],
    [() => spec`popen//env:${'A'}=x`, 'and not for keys'],
    [() => spec`${'popen'}`, 'and not for keys'],
    [() => spec`${'3'}*popen`, 'is a whole number, not string'],
    [() => spec`${1.5}*popen`, 'is a whole number, not 1.5'],
    [() => spec`${0}*popen`, 'must be from 1 to 10000'],
    [() => spec`ssh="${'x" -oProxyCommand=evil "'}"`, 'a value stands in quotes, or behind a backslash'],
    [() => spec`python=a\\${' b'}`, 'a value stands in quotes, or behind a backslash'],
    [() => spec`ssh=${'-v'} web1`, 'would be an option'],
    [() => spec`ssh=-4 ''${'-v'} web1`, 'would be an option'],
    [() => spec`docker=${'--privileged'} web`, 'would be an option'],
    [() => spec`popen//pyhton=${'x'}`, 'did you mean "python"?'],
    [() => spec`popen${'x'}`, 'and not for keys'],
    [() => spec`popen//tls=${'x'}`, '"tls" takes no value'],
    [() => spec`popen//env:A=${undefined as unknown as string}`, '"env:A" of "popen//env:A=…" was given undefined'],
    [() => spec`popen//env:A=${['a']}`, 'was given an array'],
    [() => spec`popen//chdir=\ud800${'x'}`, 'a template of a spec has half of a surrogate pair'],
    [() => spec('popen' as unknown as TemplateStringsArray), 'spec is written ahead of a template'],
  ])('%s is refused', (make, message) => {
    expect(refusal(make)).toContain(message)
  })
})

describe('wherever a spec is taken', () => {
  it('an object and a template are, too', async () => {
    await using group = new Group({ defaultSpec: { popen: true, python, env: { WHO: 'default//' } } })
    await group.makeGateway()
    group.launchGateway({ popen: true, python, env: { WHO: 'launched' }, id: 'carrier' })
    await group.makeGateway(spec`popen//via=${'carrier'}//python=${python}//env:WHO=${'behind //it'}`)
    await group.openAll([
      spec`${2}*popen//python=${python}//env:WHO=${'two'}`,
      { popen: true, python, env: { WHO: '3' } },
    ])
    await group.makeGateway() // the default again
    const who = await group.remoteExec('import os; channel.send(os.environ["WHO"])').receiveEach()
    expect(who).toEqual(['default//', 'launched', 'behind //it', 'two', 'two', '3', 'default//'])
  })

  it('the same spec may be given for many', async () => {
    const one = spec`popen//python=${python}`
    await using group = await Group.open([one, one, spec`2*popen//python=${python}`])
    await group.makeGateway(one)
    await group.makeGateway(group.get(0).spec.toString())
    expect([...group].map(({ id }) => id)).toEqual(['gw0', 'gw1', 'gw2', 'gw3', 'gw4', 'gw5'])
    expect(one.id).toBeUndefined()
    const named = XSpec.parse(`popen//python=${python}//id=named`)
    await expect(Group.open([named, named])).rejects.toThrow(/^already have a gateway with id "named"/)
    group.allocateId(one)
    expect((await group.makeGateway(one)).id).toBe('gw6')
    await expect(group.makeGateway(one)).rejects.toThrow(/^already have a gateway with id "gw6"/)
  })

  it('a spec of several is refused where one is wanted', async () => {
    await expect(makeGateway('3*popen')).rejects.toThrow(/^"3\*popen" stands for 3 gateways, and this makes one/)
  })

  it('what all objects have been given is not in a spec', async () => {
    const polluted = {
      python: '/no/such/python',
      chdir: '/dev/null',
      cwd: '/tmp',
      env: { EVIL: 'yes' },
      PATH: '',
      EVIL: 'yes',
    }
    Object.assign(Object.prototype, polluted)
    try {
      await using gateway = await makeGateway({ popen: true })
      const seen = await gateway.remoteExec('import os; channel.send([os.getcwd(), os.environ.get("EVIL")])').receive()
      expect(seen).toEqual([process.cwd(), null])
      expect(String(gateway.spec)).toBe('popen')
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name)
    }
  })

  it('values that are refused reject, and start nothing', async () => {
    await using group = new Group()
    await expect(group.makeGateway({ ssh: '-oProxyCommand=evil' })).rejects.toThrow(XSpecError)
    await expect(group.openAll([{ popen: true, python }, { ssh: 'a b' }])).rejects.toThrow(XSpecError)
    expect(() => group.listen({ spec: { python, env: { A: 'x' } } })).toThrow(
      /^"python" cannot be had .* in "python=.*\/\/env:A=…"/,
    )
    expect(group.size).toBe(0)
  })
})
