// A program that asks before it starts anything, whatever it says in whatever pieces: real ones, of sh.
import { describe, expect, it } from 'vitest'
import { type AskingProgram, openAsking } from '../../src/transports/asking.js'
import type { Connecting, Question } from '../../src/transports/connecting.js'
import { openProcess } from '../../src/transports/process.js'
import type { Transport, TransportEnd } from '../../src/transports/transport.js'

/** What was seen of one. */
interface Seen {
  readonly questions: string[]
  readonly stdout: string
  readonly stderr: string
  readonly end: TransportEnd
}

/** Runs a script that says `there` on stderr where it has started. */
async function run(
  script: string,
  answers: (string | undefined)[],
  use: (transport: Transport) => void = () => undefined,
): Promise<Seen> {
  const questions: string[] = []
  const connecting: Connecting = {
    enter: () => undefined,
    pause: () => () => undefined,
    signal: new AbortController().signal,
    ask: async ({ text }) => {
      questions.push(text)
      return answers.shift()
    },
  }
  const program: AskingProgram = {
    marker: 'there',
    questionIn: (said): Question | undefined =>
      /\?$/.test(said) ? { kind: 'password', from: 'a@b', text: said, echo: false } : undefined,
    declined: () => new Error('declined'),
    refused: (_, said) => new Error(`refused: ${said}`),
    onStarted: () => undefined,
  }
  const transport = openAsking(openProcess(['sh', '-c', script]), program, connecting)
  let [stdout, stderr] = ['', '']
  return await new Promise((resolve) => {
    transport.start({
      onChunk: (chunk) => {
        stdout += Buffer.from(chunk).toString('utf8')
      },
      onStderr: (chunk) => {
        stderr += Buffer.from(chunk).toString('utf8')
      },
      onDrain: () => transport.endInput(),
      onEnd: (end) => resolve({ questions, stdout, stderr, end }),
    })
    use(transport)
  })
}

const input = (transport: Transport): void => {
  transport.write([Buffer.from('ours')])
  transport.endInput()
}

describe('a program that asks', () => {
  it('gets our bytes when it has started, and its answers before', async () => {
    const script = 'printf "who?" >&2; read -r name; printf "there after" >&2; echo "$name"; cat'
    expect(await run(script, ['anne'], input)).toEqual({
      questions: ['who?'],
      stdout: 'anne\nours',
      stderr: ' after',
      end: expect.objectContaining({ exitCode: 0 }),
    })
  })

  it('is understood in pieces, cut within a character too', async () => {
    const pieces = String.raw`printf "w\303" >&2; sleep 0.1; printf "\251?" >&2; read -r x; printf the >&2; sleep 0.1; printf re >&2; cat`
    expect(await run(pieces, ['x'], input)).toMatchObject({ questions: ['wé?'], stdout: 'ours', stderr: '' })
  })

  it('may ask again, and something else', async () => {
    const script = 'printf "a?" >&2; read -r a; printf "no\\nb?" >&2; read -r b; printf there >&2; echo "$a$b"; cat'
    expect(await run(script, ['1', '2'], input)).toMatchObject({ questions: ['a?', 'no\nb?'], stdout: '12\nours' })
  })

  it('takes more than we hold back, and says when there is room again', async () => {
    const script = 'printf "a?" >&2; read -r a; printf there >&2; wc -c'
    const seen = await run(script, ['x'], (transport) => {
      expect(transport.write([new Uint8Array(3_000_000)])).toBe(false)
    })
    expect(seen.stdout.trim()).toBe('3000000')
  })

  it('is ended when nobody answers', async () => {
    expect(await run('printf "a?" >&2; exec sleep 1000', [undefined], input)).toMatchObject({
      end: { error: { message: 'declined' } },
    })
  })

  it('has its words told when it ends without having started anything', async () => {
    const script = 'printf "a?" >&2; read -r a; echo "not you" >&2; echo "nor here"; exit 3'
    expect(await run(script, ['x'], input)).toMatchObject({
      stdout: '',
      end: {
        exitCode: 3,
        error: { message: expect.stringMatching(/^refused: (nor here\nnot you|not you\nnor here)\n$/) },
      },
    })
  })

  it('passes on which signal has ended what it started', async () => {
    expect(await run('printf there >&2; exit 137', [])).toMatchObject({ end: { exitCode: 137, signal: 'SIGKILL' } })
  })
})
