// Which lines of a known_hosts file speak of a host: ssh-keygen -F is asked the same.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { hashName, linesAbout, matchesPattern } from '../../../src/gateways/kinds/ssh/known-hosts-file.js'
import { makeKey, makeScratch, missingTool, run } from './scratch.js'

const scratch = makeScratch()
const why = missingTool('ssh-keygen')
let key = ''

beforeAll(() => {
  if (why === undefined) key = makeKey(scratch.at('key'), 'ed25519').text
})

async function linesBySshKeygen(name: string, file: string): Promise<number[]> {
  const { stdout } = await run('ssh-keygen', ['-F', name, '-f', file])
  return [...stdout.matchAll(/^# Host .* found: line (\d+)/gm)].map(([, line]) => Number(line))
}

async function ourLines(name: string, file: string): Promise<number[]> {
  return (await linesAbout(name, file)).map(({ line }) => line)
}

describe.skipIf(why !== undefined)(`linesAbout${why === undefined ? '' : ` (${why})`}`, () => {
  it('finds the lines that ssh-keygen -F finds, whatever the patterns', async () => {
    const letters = fc.constantFrom('a', 'b', 'A', '.', '*', '?', '!', ',', '[', ']', ':', '-', '(', '+', '\\')
    const patterns = fc.sample(fc.string({ unit: letters, minLength: 1, maxLength: 8 }), { numRuns: 400, seed: 7 })
    const file = scratch.write('patterns', patterns.map((pattern) => `${pattern} ${key}\n`).join(''))
    for (const name of ['a', 'b', 'ab', 'a.b', 'aab', 'a-b', '[a]:22', '[ab]:2222', 'b(a', 'a+b']) {
      expect(await ourLines(name, file)).toEqual(await linesBySshKeygen(name, file))
    }
  })

  it('finds hashed names among others', async () => {
    const names = ['a', 'b', '[a]:2222']
    const file = scratch.write(
      'hashes',
      names.map((name, index) => `${hashName(name, Buffer.alloc(20, index))} ${key}\n`).join(''),
    )
    for (const [index, name] of names.entries()) {
      expect(await ourLines(name, file)).toEqual([index + 1])
      expect(await linesBySshKeygen(name, file)).toEqual([index + 1])
    }
  })

  it('passes over what is no line of a known_hosts file', async () => {
    const lines = [
      '',
      '#',
      `# a ${key}`,
      'a',
      'a ssh-ed25519',
      `a ${key.split(' ')[1]}`,
      `@x a ${key}`,
      '1024 35 1234',
      `a ${key}`,
    ]
    expect(await ourLines('a', scratch.write('others', lines.join('\n')))).toEqual([9])
  })
})

describe('matchesPattern', () => {
  it('takes everything but * and ? for itself', () => {
    expect(matchesPattern('a.b', 'a?b')).toBe(true)
    expect(matchesPattern('ab', 'a?b')).toBe(false)
    expect(matchesPattern('axb', 'a.b')).toBe(false)
    expect(matchesPattern('a', 'a**')).toBe(true)
    expect(matchesPattern('[a]', '[a]')).toBe(true)
  })

  it('is not slowed down by many stars', () => {
    // Whoever tries each star with each place takes days for it; what others compute meanwhile is not counted.
    const start = process.cpuUsage()
    expect(matchesPattern('a'.repeat(60), `${'*a'.repeat(20)}*b`)).toBe(false)
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(1000)
  })
})
