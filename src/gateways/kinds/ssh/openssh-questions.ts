/** Whom `ssh` asks what: its prompts, read back into questions, because they are all that it passes on. */
import type { AskpassQuestion } from '../../../transports/askpass.js'
import type { Connecting } from '../../../transports/connecting.js'
import type { ResolvedHost } from './host.js'

/** A question without which the login cannot go on, once nobody has answered it. */
export interface Declined {
  method?: 'password' | 'keyboard-interactive'
}

/** The answer of a person; `undefined` when there is none. */
export async function answerFor(
  { text, kind }: AskpassQuestion,
  host: ResolvedHost,
  connecting: Connecting,
  declined: Declined,
): Promise<string | undefined> {
  // Nobody here could compare a fingerprint; and what is only shown (touch the key) wants no answer.
  if (/continue connecting/.test(text) || kind === 'none') return undefined
  const shown = text.trim().replace(/:$/, '')
  const [, file] = /passphrase for (?:key )?'?([^']*)'?$/i.exec(shown) ?? []
  if (file !== undefined)
    return connecting.ask({ kind: 'passphrase', from: file, text: `Passphrase of ${file}`, echo: false })
  const password = /^(\S+@\S+)'s password$/.exec(shown)
  const other = /^\((\S+@\S+)\) (.*)$/s.exec(shown)
  const from = password?.[1] ?? other?.[1] ?? `${host.user}@${host.hostname}`
  const answer = await connecting.ask({
    kind: kind === 'confirm' ? 'answer' : 'password',
    from,
    text: password === null ? (other?.[2] ?? shown) : `Password of ${from}`,
    echo: kind === 'confirm',
  })
  if (answer === undefined && kind !== 'confirm')
    declined.method = password === null ? 'keyboard-interactive' : 'password'
  return answer
}
