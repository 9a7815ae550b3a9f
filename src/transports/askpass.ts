/**
 * Answers the questions of programs that ask for a password by running another program: ssh with SSH_ASKPASS, sudo with
 * SUDO_ASKPASS. That program connects to a socket of ours, so a secret is in no argument, no variable and no file.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { privatePath } from './private-folder.js'

/** What is asked. */
export interface AskpassQuestion {
  /** As the program would have put it on a terminal. */
  readonly text: string
  /** SSH_ASKPASS_PROMPT of ssh(1): `confirm` wants a yes, `none` only shows something; absent for an answer in words. */
  readonly kind?: string | undefined
}

/** A program to be named in SSH_ASKPASS or SUDO_ASKPASS. */
export interface Askpass {
  readonly program: string
  /** Variables that whoever runs it must have. */
  readonly env: Readonly<Record<string, string>>
  /** Questions that are still open are declined. Idempotent. */
  close(): void
}

const VARIABLE = 'TENDRIL_ASKPASS'

// Without single quotes, as it stands between two of them.
const client = `
const socket = require("node:net").connect(process.env.${VARIABLE});
const question = { text: process.argv[1], kind: process.env.SSH_ASKPASS_PROMPT };
let answer = "";
socket.setEncoding("utf8").on("data", (text) => { answer += text });
socket.on("error", () => process.exit(1));
socket.on("close", () => (answer === "" ? process.exit(1) : process.stdout.write(JSON.parse(answer) + "\\n")));
socket.end(JSON.stringify(question));
`

/**
 * Listens for questions. Not on Windows, where no script can be named.
 *
 * @param answer - `undefined` declines: the program is told that there was no answer.
 */
export async function openAskpass(
  answer: (question: AskpassQuestion) => Promise<string | undefined>,
): Promise<Askpass> {
  const program = privatePath('askpass')
  const path = `${program}.socket`
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath.replaceAll("'", "'\\''")}' -e '${client}' -- "$@"\n`, {
    mode: 0o700,
  })
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    void serve(socket, answer)
  })
  await listening(server, path)
  server.unref()
  const close = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
    rmSync(program, { force: true })
  }
  return { program, env: { [VARIABLE]: path }, close }
}

async function serve(
  socket: Socket,
  answer: (question: AskpassQuestion) => Promise<string | undefined>,
): Promise<void> {
  try {
    const text = await answer(await read(socket))
    socket.end(text === undefined ? '' : JSON.stringify(text))
  } catch {
    socket.destroy()
  }
}

/** All until the other side has ended its half; reading it as an iterator would end ours too. */
function read(socket: Socket): Promise<AskpassQuestion> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    socket.once('close', () => reject(new Error('the askpass program ended before it asked anything')))
    socket.once('end', () => {
      try {
        resolve(JSON.parse(text) as AskpassQuestion) // by our own program, above
      } catch (error) {
        reject(error)
      }
    })
  })
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      server.on('error', () => undefined)
      resolve()
    })
  })
}
