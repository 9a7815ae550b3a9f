// `python=` is split as a POSIX shell would, so a command line can be copied into a spec.
import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { XSpecError } from '../../src/errors.js'
import { splitWords } from '../../src/transports/shell-words.js'
import { anyInterpreter } from '../interpreters.js'

describe('splitWords', () => {
  it.each([
    ['python3', ['python3']],
    ['  sudo -u  ci\tpython3 ', ['sudo', '-u', 'ci', 'python3']],
    ["env X='a b' python3", ['env', 'X=a b', 'python3']],
    ['"/opt/my python/bin/python" -S', ['/opt/my python/bin/python', '-S']],
    ['/opt/my\\ python', ['/opt/my python']],
    ['a"b c"\'d e\'f', ['ab cd ef']],
    ['"a\\"b\\\\c\\d"', ['a"b\\c\\d']],
    ["'a\\b'", ['a\\b']],
    ['""', ['']],
    ['# $HOME *', ['#', '$HOME', '*']],
    ['', []],
  ])('splits %j', (text, words) => {
    expect(splitWords(text)).toEqual(words)
  })

  it.each(['"open', "it's", 'end\\'])('refuses %j', (text) => {
    expect(() => splitWords(text)).toThrow(XSpecError)
  })

  it('reads a backslash as a slash on Windows', () => {
    expect(splitWords('C:\\Python312\\python.exe -S', { windows: true })).toEqual(['C:/Python312/python.exe', '-S'])
  })

  it("agrees with Python's shlex", () => {
    const letters = fc.constantFrom('a', 'b', ' ', '\t', '"', "'", '\\', '$', '#', '\n')
    const texts = fc.sample(fc.string({ unit: letters, maxLength: 12 }), { numRuns: 500, seed: 1 })
    const program = `
import json, shlex, sys
def split(text):
    try:
        return shlex.split(text)
    except ValueError:
        return None
print(json.dumps([split(text) for text in json.load(sys.stdin)]))`
    const { stdout } = spawnSync(anyInterpreter().command, ['-c', program], {
      input: JSON.stringify(texts),
      encoding: 'utf8',
    })
    expect(texts.map(wordsOrNull)).toEqual(JSON.parse(stdout))
  })
})

function wordsOrNull(text: string): string[] | null {
  try {
    return splitWords(text)
  } catch {
    return null
  }
}
